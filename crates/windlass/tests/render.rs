//! `windlass render` of folders and addresses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use windlass_testing::{FileServer, GitServer, OciRegistry, RegistryAuth, S3Server, SshGitServer};

const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n";

/// What it prints, and whether it says that all is well.
fn render(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.arg("render").args(arguments).current_dir(folder).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

fn written(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::with_prefix("windlass-render-").unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn a_folder_is_rendered_as_it_says_itself() {
    let folder = written(&[
        (
            "app/.argocd-source.yaml",
            "directory: {recurse: true, jsonnet: {extVars: [{name: which, value: two}]}}\n",
        ),
        ("app/a.yaml", SETTINGS),
        ("app/deep/b.jsonnet", "{apiVersion: 'v1', kind: 'Secret', metadata: {name: std.extVar('which')}}"),
    ]);
    let (text, is_well) = render(folder.path(), &["app", "-o", "tree"], &[]);
    assert_eq!(text, "a.yaml\n└── ConfigMap shop/settings\ndeep/b.jsonnet\n└── Secret two\n");
    assert!(is_well);
    let (text, _) = render(folder.path(), &[".", "--path", "app", "-o", "name"], &[]);
    assert_eq!(text, "configmap/settings\nsecret/two\n");
    let (text, _) = render(folder.path(), &["app", "-o", "json"], &[]);
    assert!(text.contains("\"kind\": \"List\""), "{text}");
}

#[test]
fn a_folder_of_a_repository_may_refer_to_what_is_beside_it() {
    let folder = written(&[
        ("base/kustomization.yaml", "resources: [settings.yaml]\n"),
        ("base/settings.yaml", SETTINGS),
        ("job/job.yaml", "{apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-}}\n"),
        ("app/kustomization.yaml", "resources: [../base]\nnamePrefix: web-\n"),
        ("app/.argocd-source-web.yaml", "kustomize: {namePrefix: other-}\n"),
        ("broken/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: [}\n"),
    ]);
    let app = folder.path().join("app");
    // Outside of any repository the folder is all there is.
    let (text, is_well) = render(&app, &["."], &[]);
    assert!(!is_well && text.contains("base"), "{text}");
    fs::create_dir(folder.path().join(".git")).unwrap();
    for place in [".", "../app", app.to_str().unwrap()] {
        let (text, _) = render(&app, &[place, "-o", "tree"], &[]);
        assert_eq!(text, "app\n└── ConfigMap shop/web-settings\n");
    }
    let (text, _) = render(folder.path(), &["job", "-o", "tree"], &[]);
    assert_eq!(text, "job/job.yaml\n└── Job.batch migrate-…\n");
    let (text, _) = render(&app, &[".", "--name", "web", "-o", "name"], &[]);
    assert!(text.starts_with("configmap/other-settings\n"), "{text}");
    let (text, _) = render(&app, &[".", "--explain"], &[]);
    assert!(text.contains("\n  file     base/settings.yaml  its content\n"), "{text}");
    // With --path the folder that is named is the root.
    let (text, is_well) = render(folder.path(), &["app", "--path", "."], &[]);
    assert!(!is_well && text.contains("base"), "{text}");
    let (text, is_well) = render(folder.path(), &["broken"], &[]);
    assert!(
        !is_well && text.contains("error: broken/a.yaml:4: ") && text.contains("4 | data: {a: [}"),
        "{text}"
    );
}

#[test]
fn what_was_read_is_explained() {
    let folder = written(&[
        ("base/kustomization.yaml", "resources: [settings.yaml]\n"),
        ("base/settings.yaml", SETTINGS),
        ("app/kustomization.yaml", "resources: [../base]\nnamePrefix: web-\n"),
        ("beside/other.yaml", SETTINGS),
    ]);
    let (text, is_well) = render(folder.path(), &[".", "--path", "app", "--explain"], &[]);
    assert!(is_well, "{text}");
    for line in [
        "rendered as Kustomize; again when one of these changes:",
        "  file     app/kustomization.yaml  its content",
        "  file     base/settings.yaml  its content",
        "  absent   app/.argocd-source.yaml  it appears",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("beside"), "{text}");
}

#[test]
fn an_address_of_a_repository_is_rendered() {
    let server = GitServer::start().unwrap();
    let git = server.repository("app").unwrap();
    git.write("main", "deploy/a.yaml", SETTINGS).unwrap();
    git.tag("v1", "main").unwrap();
    git.write("main", "deploy/a.yaml", SETTINGS.replace("settings", "newer")).unwrap();
    let folder = written(&[]);
    for (reference, name) in [("?ref=v1", "configmap/settings\n"), ("", "configmap/newer\n")] {
        let url = format!("{}//deploy{reference}", server.url("app"));
        assert_eq!(render(folder.path(), &[&url, "-o", "name"], &[]), (name.to_owned(), true), "{url}");
    }
    let (text, is_well) = render(folder.path(), &[&format!("{}?ref=absent", server.url("app"))], &[]);
    assert!(!is_well && text.contains("absent"), "{text}");
}

#[test]
fn private_places_are_rendered_with_what_is_given() {
    let folder = written(&[]);
    let git = GitServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    git.repository("app").unwrap().write("main", "deploy/a.yaml", SETTINGS).unwrap();
    let bearer = GitServer::builder().bearer_token("s3cret-and-right").start().unwrap();
    bearer.repository("app").unwrap().write("main", "deploy/a.yaml", SETTINGS).unwrap();
    let files = FileServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    files.put("app.tgz", archive(&[("a.yaml", SETTINGS)]));
    let auth = RegistryAuth::Token("ada".into(), "s3cret-and-right".into());
    let registry = OciRegistry::builder().auth(auth).start().unwrap();
    let layer = archive(&[("a.yaml", SETTINGS)]);
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    registry.push("app", "v1", &[(media_type, &layer)], &[]).unwrap();
    let host = registry.base_url().replace("http://", "");
    let docker = written(&[(
        "config.json",
        &format!(r#"{{"auths": {{"{host}": {{"username": "ada", "password": "s3cret-and-right"}}}}}}"#),
    )]);
    let docker = docker.path().to_str().unwrap();
    let of_git = format!("{}//deploy", git.url("app"));
    let of_bearer = format!("{}//deploy", bearer.url("app"));
    let of_files = format!("{}/app.tgz", files.base_url());
    let of_registry = format!("{}:v1", registry.url("app"));
    let password = |right: bool| {
        [("WINDLASS_RENDER_PASSWORD", if right { "s3cret-and-right" } else { "s3cret-and-wrong" })]
    };
    let user = ["--username", "ada"];
    // Flags, variables, what stands on standard input, and whether it is let in.
    type Variables<'a> = Vec<(&'a str, &'a str)>;
    let cases: [(Vec<&str>, Variables<'_>, &str, bool); 12] = [
        (vec![&of_git], vec![], "", false),
        ([&[of_git.as_str()][..], &user].concat(), password(true).to_vec(), "", true),
        ([&[of_git.as_str()][..], &user].concat(), password(false).to_vec(), "", false),
        ([&[of_git.as_str(), "--password-stdin"][..], &user].concat(), vec![], "s3cret-and-right\n", true),
        (vec![&of_git], vec![("WINDLASS_RENDER_USERNAME", "ada"), password(true)[0]], "", true),
        (vec![&of_bearer, "--token-stdin"], vec![], "s3cret-and-right", true),
        (vec![&of_bearer], vec![("WINDLASS_RENDER_TOKEN", "s3cret-and-right")], "", true),
        ([&[of_files.as_str()][..], &user].concat(), password(true).to_vec(), "", true),
        (vec![&of_files], vec![], "", false),
        ([&[of_registry.as_str(), "--plain-http"][..], &user].concat(), password(true).to_vec(), "", true),
        (vec![&of_registry, "--plain-http"], vec![("DOCKER_CONFIG", docker)], "", true),
        (vec![&of_registry, "--plain-http"], vec![("DOCKER_CONFIG", "/nowhere")], "", false),
    ];
    for (arguments, variables, input, is_let_in) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.arg("render").args(&arguments).args(["-o", "name"]).current_dir(folder.path());
        command.env_remove("DOCKER_CONFIG").env("HOME", folder.path()).envs(variables);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), is_let_in, "{arguments:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
        let expected = if is_let_in { "configmap/settings\n" } else { "" };
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{arguments:?}");
    }
}

#[test]
fn a_key_for_ssh_is_given_by_its_file() {
    if !SshGitServer::is_available() {
        return;
    }
    let server = SshGitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "a.yaml", SETTINGS).unwrap();
    let (key, known) = (server.client_key(), server.known_hosts());
    let url = server.url("app");
    let folder = written(&[]);
    let home = [("HOME", folder.path().to_str().unwrap())];
    let (key, known) = (key.to_str().unwrap(), known.to_str().unwrap());
    let (text, is_well) =
        render(folder.path(), &[&url, "-o", "name", "--ssh-key", key, "--known-hosts", known], &home);
    assert_eq!((text.as_str(), is_well), ("configmap/settings\n", true));
    // A host that nobody knows is not talked to.
    assert!(!render(folder.path(), &[&url, "-o", "name", "--ssh-key", key], &home).1);
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_bucket_is_rendered() {
    let server = S3Server::start().unwrap();
    server.put("deploy/a.yaml", SETTINGS).unwrap();
    server.put("other/b.yaml", "no: object").unwrap();
    let endpoint = server.base_url();
    let folder = written(&[]);
    let key = |secret| [("AWS_ACCESS_KEY_ID", S3Server::KEY), ("AWS_SECRET_ACCESS_KEY", secret)];
    let by_variable = [&[("AWS_ENDPOINT_URL", endpoint.as_str())], &key(S3Server::SECRET)[..]].concat();
    let address = format!("s3://apps/deploy?endpoint={endpoint}&region=eu-west-1");
    for (address, variables) in
        [("s3://apps/deploy", by_variable.as_slice()), (&address, &key(S3Server::SECRET))]
    {
        let rendered = render(folder.path(), &[address, "-o", "name"], variables);
        assert_eq!(rendered, ("configmap/settings\n".into(), true));
    }
    let refused = render(folder.path(), &[&address, "-o", "name"], &key("wrong"));
    assert!(!refused.1 && !refused.0.contains("wrong"), "{}", refused.0);
}

const PLUGIN: &str = "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: shell}\nspec:\n  \
                      discover: {find: {glob: '**/*.txt'}}\n  generate: {command: [cat, sub/in.txt]}\n  parameters:\n    static: [{name: replicas}]\n    dynamic: \
                      {command: [echo, '[{\"name\": \"image\", \"string\": \"nginx\"}]']}\n";

#[test]
fn a_plugin_renders_what_it_looks_for() {
    let folder = written(&[
        ("app/sub/in.txt", SETTINGS),
        ("plain/a.yaml", SETTINGS),
        ("plugins/shell.yaml", PLUGIN),
        ("plugins/broken.yaml", "kind: ConfigManagementPlugin\nmetadata: {name: broken}\n"),
    ]);
    let (text, is_well) = render(folder.path(), &["app", "--plugins", "plugins", "-o", "name"], &[]);
    assert!(is_well && text.starts_with("configmap/settings\n"), "{text}");
    assert!(text.contains("broken.yaml cannot be used: it has no spec.generate.command"), "{text}");
    let variables = [("WINDLASS_PLUGINS", "plugins")];
    let (text, _) = render(folder.path(), &["app", "--explain"], &variables);
    assert!(text.contains("rendered as Plugin by the plugin shell"), "{text}");
    assert!(text.contains("folder   .  anything in it or below it"), "{text}");
    let (text, _) = render(folder.path(), &["plain", "--explain"], &variables);
    assert!(text.contains("rendered as Directory"), "{text}");
    let names = render(folder.path(), &["app", "--parameters-of", "shell", "-o", "name"], &variables);
    assert!(names.1 && names.0.starts_with("image\nreplicas\n"), "{}", names.0);
    let (text, _) = render(folder.path(), &["app", "--parameters-of", "shell"], &variables);
    assert!(
        text.contains("- name: image\n  string: nginx\n") && text.contains("- name: replicas\n"),
        "{text}"
    );
    let (text, is_well) = render(folder.path(), &["app", "--parameters-of", "other"], &variables);
    assert!(!is_well && text.contains("there is no plugin other; there are: shell"), "{text}");
    let (text, is_well) = render(folder.path(), &["app", "--plugins", "none"], &[]);
    assert!(!is_well && text.contains("the plugins in none cannot be read"), "{text}");
}

/// A render that goes on, and what it has said and printed so far.
struct Watched {
    process: windlass_testing::Process,
}

impl Watched {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut builder = windlass_testing::Process::builder(env!("CARGO_BIN_EXE_windlass"));
        builder = builder.arg("render").args(arguments).current_dir(folder);
        Self { process: builder.log(folder.parent().unwrap().join("said")).start().unwrap() }
    }

    /// Waits until it has said this since the last call, and answers what that was.
    async fn until(&self, words: &[&str], from: &mut usize) -> String {
        let said = windlass_testing::eventually(std::time::Duration::from_secs(60), || {
            let text = fs::read_to_string(self.process.log()).unwrap_or_default();
            let new = text.get(*from..).unwrap_or_default().to_owned();
            let is_said = words.iter().all(|word| new.contains(word));
            std::future::ready(if is_said {
                Ok((text.len(), new))
            } else {
                Err(format!("{words:?} in {new}"))
            })
        });
        let (length, new) = said.await.unwrap();
        *from = length;
        new
    }
}

#[tokio::test]
async fn a_watched_folder_is_rendered_again_when_what_was_read_changes() {
    let parent = TempDir::with_prefix("windlass-render-").unwrap();
    let folder = parent.path().join("app");
    let put = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("base/kustomization.yaml", "resources: [settings.yaml]\n");
    put("base/settings.yaml", SETTINGS);
    put("kustomization.yaml", "resources: [base]\n");
    put("beside.txt", "one");
    let watched = Watched::start(&folder, &[".", "--watch", "-o", "name"]);
    let mut at = 0;
    watched.until(&["configmap/settings\n"], &mut at).await;
    put("beside.txt", "another");
    let said = watched.until(&["changed: ~beside.txt", "not rendered: nothing that was read"], &mut at).await;
    assert!(!said.contains("configmap"), "{said}");
    put("kustomization.yaml", "resources: [base]\nnamePrefix: web-\n");
    let wanted = [
        "changed: ~kustomization.yaml",
        "+ConfigMap:shop/web-settings -ConfigMap:shop/settings",
        "configmap/web-",
    ];
    watched.until(&wanted, &mut at).await;
    // Written anew with the same meaning: it ran, and nothing is printed again.
    put("kustomization.yaml", "namePrefix: web-\nresources: [base]\n");
    let said = watched.until(&["rendered again: 1 objects, none of them another"], &mut at).await;
    assert!(!said.contains("configmap"), "{said}");
    put("kustomization.yaml", "resources: [nothing.yaml]\n");
    watched.until(&["error: ", "nothing.yaml"], &mut at).await;
    fs::remove_dir_all(&folder).unwrap();
    watched.until(&["-base/settings.yaml", "error: "], &mut at).await;
    put("a.yaml", &SETTINGS.replace("settings", "again"));
    watched.until(&["+a.yaml", "+ConfigMap:shop/again", "configmap/again"], &mut at).await;
    watched.process.interrupt();
    let mut process = watched.process;
    let ended = process.wait(std::time::Duration::from_secs(60)).unwrap();
    assert!(ended.success(), "{}", process.log_tail());
}

#[test]
fn only_folders_are_watched() {
    let folder = written(&[]);
    let (text, is_well) = render(folder.path(), &["https://h/a.tgz", "--watch"], &[]);
    assert!(!is_well, "{text}");
}
