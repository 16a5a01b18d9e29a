//! `windlass render helm` on charts whose dependencies lie elsewhere, next to `helm dependency` and `helm template`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use windlass_testing::{FileServer, OciRegistry, RegistryAuth, tool};

/// Helm and ours in a folder with a home of their own, a Helm repository and a registry.
struct Rig {
    home: TempDir,
    web: FileServer,
    registry: OciRegistry,
}

/// The Helm of one major version, and what ours is told to be like it.
struct Version {
    program: &'static str,
    flag: &'static str,
}

const VERSIONS: [Version; 2] =
    [Version { program: "helm", flag: "--helm=4" }, Version { program: "helm3", flag: "--helm=3" }];

impl Rig {
    fn new() -> Self {
        let home = TempDir::with_prefix("windlass-render-helm-").unwrap();
        let rig = Self { home, web: FileServer::start().unwrap(), registry: OciRegistry::start().unwrap() };
        for version in ["1.0.0", "1.2.0", "2.0.0-rc.1"] {
            rig.publish("lib", version);
        }
        for version in VERSIONS {
            rig.succeed(version.program, &["repo", "add", "public", &rig.web.base_url()]);
        }
        rig
    }

    /// Packages a chart and publishes it in both repositories.
    fn publish(&self, name: &str, version: &str) {
        self.chart(&format!("src/{name}"), name, version, "");
        self.write(
            &format!("src/{name}/values.yaml"),
            "color: red\nexports: {shared: {size: 3}}\nglobal: {}\n",
        );
        let template = "kind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-{{ .Chart.Name }}}\n\
                        data: {color: {{ .Values.color }}, version: {{ .Chart.Version }}}\n";
        self.write(&format!("src/{name}/templates/map.yaml"), template);
        fs::create_dir_all(self.path("charts")).unwrap();
        self.succeed("helm", &["package", &format!("src/{name}"), "--destination", "charts"]);
        self.succeed("helm", &["repo", "index", "charts"]);
        for file in fs::read_dir(self.path("charts")).unwrap() {
            let file = file.unwrap();
            self.web.put(&file.file_name().to_string_lossy(), fs::read(file.path()).unwrap());
        }
        let archive = format!("charts/{name}-{version}.tgz");
        self.succeed("helm", &["push", &archive, &self.registry.url("charts"), "--plain-http"]);
    }

    fn chart(&self, folder: &str, name: &str, version: &str, more: &str) {
        let file = format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}");
        self.write(&format!("{folder}/Chart.yaml"), &file);
    }

    /// The chart under test, with these dependencies.
    fn app(&self, dependencies: &str) {
        let dependencies =
            dependencies.replace("WEB", &self.web.base_url()).replace("OCI", &self.registry.url("charts"));
        self.chart("app", "app", "0.1.0", &format!("dependencies:\n{dependencies}"));
        self.write(
            "app/templates/a.yaml",
            "kind: A\nsize: {{ .Values.size }}\nvalues: {{ toJson .Values }}\n",
        );
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.home.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let home = self.home.path();
        Command::new(program)
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", home)
            .output()
            .unwrap()
    }

    fn succeed(&self, program: &str, arguments: &[&str]) {
        let output = self.run(&tool(program).unwrap(), arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    }

    /// Checks that ours prints for `app` what Helm prints once it has brought the dependencies, or says what it says.
    fn check(&self, what: &str, verb: &str) {
        for Version { program, flag } in VERSIONS {
            let program = tool(program).unwrap();
            let deed = format!("--dependency-{verb}");
            // Which repository is called `public`, both read in the file that `helm repo add` has written.
            let ours = [
                "render",
                "helm",
                "rel",
                "app",
                flag,
                deed.as_str(),
                "--plain-http",
                "--kube-version=v1.34.0",
            ];
            let ours = self.run(Path::new(env!("CARGO_BIN_EXE_windlass")), &ours);
            copy(&self.path("app"), &self.path("copy/app"));
            for neighbour in ["lib", "near"] {
                if self.path(neighbour).is_dir() {
                    copy(&self.path(neighbour), &self.path(&format!("copy/{neighbour}")));
                }
            }
            let built = self.run(&program, &["dependency", verb, "copy/app", "--plain-http"]);
            let helm = if built.status.success() {
                self.run(&program, &["template", "rel", "copy/app", "--kube-version=v1.34.0"])
            } else {
                built
            };
            fs::remove_dir_all(self.path("copy")).unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (helm_says, we_say) = (text(&helm.stderr), text(&ours.stderr));
            assert_eq!(ours.status.success(), helm.status.success(), "{what} {flag}: {helm_says}\n{we_say}");
            if helm.status.success() {
                assert_eq!(text(&ours.stdout), text(&helm.stdout), "{what} {flag}");
                continue;
            }
            let error = helm_says.split("Error: ").nth(1).unwrap_or_default().trim_end();
            // Helm's paths begin where it was started.
            let comparable = |text: &str| text.replace("copy/app/", "").replace("copy/", "");
            assert!(
                comparable(&we_say).contains(&comparable(error)),
                "{what} {flag}\nhelm: {helm_says}\nours: {we_say}"
            );
        }
    }

    /// Has Helm write a lock for `app`.
    fn lock(&self) {
        self.succeed("helm", &["dependency", "update", "app", "--plain-http"]);
        fs::remove_dir_all(self.path("app/charts")).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for member in fs::read_dir(from).unwrap() {
        let member = member.unwrap();
        let target = to.join(member.file_name());
        if member.path().is_dir() {
            copy(&member.path(), &target);
        } else {
            drop(fs::copy(member.path(), target));
        }
    }
}

const DEPENDENCY: &str = "- {name: lib, version: 1.x, repository: 'ADDRESS', import-values: [shared]}\n";

#[test]
fn dependencies_of_repositories_are_those_that_helm_fetches() {
    for (what, address) in
        [("repository", "WEB"), ("registry", "OCI"), ("name", "@public"), ("alias", "alias:public")]
    {
        let rig = Rig::new();
        rig.app(&DEPENDENCY.replace("ADDRESS", address));
        rig.check(&format!("{what}, no lock"), "build");
        rig.check(&format!("{what}, no lock"), "update");
        rig.lock();
        rig.publish("lib", "1.3.0");
        rig.check(&format!("{what}, a lock of an older version"), "build");
        rig.check(&format!("{what}, updated"), "update");
        rig.app(&DEPENDENCY.replace("ADDRESS", address).replace("1.x", "^1.3.0"));
        rig.check(&format!("{what}, a lock of other dependencies"), "build");
    }
}

#[test]
fn aliases_conditions_and_tags_hold_for_fetched_charts() {
    let rig = Rig::new();
    rig.app(
        "- {name: lib, version: 1.0.0, repository: 'WEB', alias: one, condition: 'a<b>&c.on,one.on'}\n\
         - {name: lib, version: 1.0.0, repository: 'WEB', alias: two, tags: [off, 'é']}\n\
         - {name: lib, version: '>=1.1.0', repository: 'OCI', alias: three, condition: three.on}\n\
         - name: lib\n  version: ~1.0\n  repository: WEB\n  enabled: true\n  import-values:\n  \
           - {child: exports.shared, parent: deep.er}\n  - shared\n",
    );
    rig.write("app/values.yaml", "three: {on: false}\none: {color: blue}\ntags: {off: false}\n");
    rig.check("aliases", "build");
    rig.lock();
    rig.check("aliases with a lock", "build");
}

#[test]
fn folders_are_dependencies() {
    let rig = Rig::new();
    copy(&rig.path("src/lib"), &rig.path("near/lib"));
    let dependency = "- {name: lib, version: '*', repository: 'file://../near/lib'}\n";
    rig.app(&dependency.replace('*', "2.0.0-rc.1"));
    rig.check("a folder", "build");
    rig.lock();
    rig.check("a folder with a lock", "build");
    rig.chart("near/lib", "lib", "3.0.0", "");
    rig.check("a folder that the lock does not have", "build");
    rig.check("a folder in a version that is not allowed", "update");
    rig.app(&dependency.replace("near/lib", "far"));
    rig.write("app/Chart.lock", "dependencies: []\ndigest: ''\n");
    let ours = rig.run(
        Path::new(env!("CARGO_BIN_EXE_windlass")),
        &["render", "helm", "rel", "app", "--dependency-build"],
    );
    let error = String::from_utf8_lossy(&ours.stderr).into_owned();
    assert!(error.contains("far not found"), "{error}");
}

#[test]
fn what_lies_in_the_chart_stays_or_goes_as_with_helm() {
    let rig = Rig::new();
    rig.app(
        "- {name: lib, version: 1.x, repository: 'WEB'}\n- {name: mine, version: 0.1.0}\n\
         - {name: other, version: 1.x, repository: 'WEB'}\n",
    );
    rig.publish("other", "1.0.0");
    rig.chart("app/charts/mine", "mine", "0.1.0", "");
    rig.write("app/charts/mine/templates/m.yaml", "kind: Mine\n");
    fs::copy(rig.path("charts/lib-1.0.0.tgz"), rig.path("app/charts/lib-1.0.0.tgz")).unwrap();
    rig.check("an archive that is out of date", "build");
    rig.chart("app/charts/mine", "mine", "0.2.0", "");
    rig.check("a folder in a version that is not allowed", "build");
}

#[test]
fn charts_of_the_first_version_have_requirements() {
    let rig = Rig::new();
    rig.app("");
    rig.write("app/Chart.yaml", "apiVersion: v1\nname: app\nversion: 0.1.0\n");
    let requirements = format!("dependencies:\n{}", DEPENDENCY.replace("ADDRESS", &rig.web.base_url()));
    rig.write("app/requirements.yaml", &requirements);
    rig.check("requirements", "build");
    rig.lock();
    rig.publish("lib", "1.4.0");
    rig.check("requirements with a lock", "build");
    rig.write("app/requirements.yaml", &requirements.replace("1.x", "1.4.x"));
    rig.check("requirements with a lock of others", "build");
}

#[test]
fn what_cannot_be_had_is_said() {
    let rig = Rig::new();
    for (what, dependency) in [
        ("a name that nobody gave", "- {name: lib, version: 1.x, repository: '@nobody'}\n"),
        (
            "a plain name",
            "- {name: lib, version: 1.x, repository: stable}\n- {name: b, version: 1.x, repository: '@x'}\n",
        ),
        ("a range that is none", "- {name: lib, version: 1.x.y.z, repository: 'WEB'}\n"),
    ] {
        rig.app(dependency);
        rig.check(what, "build");
    }
    for dependency in [
        "- {name: lib, version: 9.x, repository: 'WEB'}\n",
        "- {name: missing, version: 1.x, repository: 'WEB'}\n",
        "- {name: missing, version: 1.0.0, repository: 'OCI'}\n",
        "- {name: lib, version: 1.x, repository: 'http://user:secret@127.0.0.1:1'}\n",
    ] {
        rig.app(dependency);
        let ours = rig.run(
            Path::new(env!("CARGO_BIN_EXE_windlass")),
            &["render", "helm", "rel", "app", "--dependency-build", "--plain-http"],
        );
        let error = String::from_utf8_lossy(&ours.stderr).into_owned();
        assert!(!ours.status.success() && error.contains("could not download"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn charts_are_fetched_with_credentials() {
    let rig = Rig::new();
    let web = FileServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    for file in fs::read_dir(rig.path("charts")).unwrap().map(Result::unwrap) {
        web.put(&file.file_name().to_string_lossy(), fs::read(file.path()).unwrap());
    }
    let auth = RegistryAuth::Basic("ada".into(), "s3cret-and-right".into());
    let registry = OciRegistry::builder().auth(auth).start().unwrap();
    let host = registry.url("").trim_start_matches("oci://").trim_end_matches('/').to_owned();
    let login = ["registry", "login", &host, "--plain-http", "-u", "ada", "-p", "s3cret-and-right"];
    rig.succeed("helm", &login);
    rig.succeed("helm", &["push", "charts/lib-1.2.0.tgz", &registry.url("charts"), "--plain-http"]);
    let of_registry = registry.url("charts/lib");
    let of_web = web.base_url();
    let archive = format!("{of_web}/lib-1.0.0.tgz");
    let right = ["--username", "ada", "--password", "s3cret-and-right"];
    let wrong = ["--username", "ada", "--password", "s3cret-and-wrong"];
    let cases: [(&str, Vec<&str>, bool); 10] = [
        ("repository", [&["lib", "--repo", &of_web][..], &right].concat(), true),
        ("a range", [&["lib", "--version", "~1.0", "--repo", &of_web][..], &right].concat(), true),
        ("before a release", [&["lib", "--devel", "--repo", &of_web][..], &right].concat(), true),
        ("archive", [&[archive.as_str()][..], &right].concat(), true),
        ("by name", vec!["public/lib", "--version", "1.0.0"], true),
        ("registry that was logged in to", vec![&of_registry, "--plain-http"], true),
        ("registry", [&[of_registry.as_str(), "--plain-http"][..], &right].concat(), true),
        ("without a user", vec!["lib", "--repo", &of_web], false),
        ("wrong password", [&["lib", "--repo", &of_web][..], &wrong].concat(), false),
        ("no such version", [&["lib", "--version", "9", "--repo", &of_web][..], &right].concat(), false),
    ];
    for (what, arguments, is_there) in &cases {
        for Version { program, flag } in VERSIONS {
            let theirs = [&["template", "rel", "--kube-version=v1.34.0"], arguments.as_slice()].concat();
            let theirs = rig.run(&tool(program).unwrap(), &theirs);
            let ours = [&["render", "helm", "rel", flag, "--kube-version=v1.34.0"], arguments.as_slice()];
            let ours = rig.run(Path::new(env!("CARGO_BIN_EXE_windlass")), &ours.concat());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (helm_says, we_say) = (text(&theirs.stderr), text(&ours.stderr));
            assert_eq!(theirs.status.success(), *is_there, "{what} {program}: {helm_says}");
            assert_eq!(ours.status.success(), *is_there, "{what} {flag}: {we_say}");
            assert_eq!(text(&ours.stdout), text(&theirs.stdout), "{what} {flag}");
            assert!(!we_say.contains("s3cret"), "{what}: {we_say}");
        }
    }
}

#[test]
fn a_packaged_chart_is_verified() {
    let rig = Rig::new();
    let signed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../windlass-helm/tests/provenance");
    fs::create_dir_all(rig.path("signed")).unwrap();
    let ring = signed.join("keyring.gpg");
    let keyring = format!("--keyring={}", ring.display());
    for (name, is_signed) in [("rsa", true), ("ed", true), ("stranger", false), ("digest", false)] {
        fs::copy(signed.join("web-1.0.0.tgz"), rig.path("signed/web-1.0.0.tgz")).unwrap();
        fs::copy(signed.join(format!("{name}.prov")), rig.path("signed/web-1.0.0.tgz.prov")).unwrap();
        let arguments = ["render", "helm", "rel", "signed/web-1.0.0.tgz", "--verify", keyring.as_str()];
        let output = rig.run(Path::new(env!("CARGO_BIN_EXE_windlass")), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), is_signed, "{name}: {said}");
        assert_eq!(said.contains("Chart Hash Verified: sha256:"), is_signed, "{name}: {said}");
    }
}
