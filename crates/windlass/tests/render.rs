//! `windlass render` of folders and addresses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use windlass_testing::{GitServer, tool};

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
fn a_bucket_is_rendered() {
    let mut server = Command::new(tool("s3").unwrap())
        .args(["apps", "KEY", "hunter2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = SETTINGS.len();
    write!(
        stream,
        "PUT /apps/deploy/a.yaml HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{SETTINGS}"
    )
    .unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    let endpoint = format!("http://{address}");
    let folder = written(&[]);
    let variables = |secret| {
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "KEY"),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]
    };
    let rendered = render(folder.path(), &["s3://apps/deploy", "-o", "name"], &variables("hunter2"));
    let refused = render(folder.path(), &["s3://apps/deploy", "-o", "name"], &variables("wrong"));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(rendered, ("configmap/settings\n".into(), true));
    assert!(!refused.1 && !refused.0.contains("wrong"), "{}", refused.0);
}
