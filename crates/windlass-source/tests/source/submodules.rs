//! Submodules: on the same host and on others, relative, nested, and those that cannot be had.

use windlass_model::{EntryKind, Tree};
use windlass_source::{
    Access, Authentication, CredentialTemplates, Freshness, Policy, RepositoryUrl, Scheme, SourceError, chain,
};
use windlass_testing::{GitServer, Repository as GitRepository};

use crate::{Rig, update};

pub(crate) fn modules(entries: &[(&str, &str)]) -> String {
    entries
        .iter()
        .map(|(path, url)| format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n"))
        .collect()
}

pub(crate) fn ada() -> Access {
    Access {
        authentication: Authentication::Basic { username: "ada".into(), password: "s3cret".into() },
        credentials_over_http: true,
        ..Access::default()
    }
}

fn text(tree: &dyn Tree, path: &str) -> Option<String> {
    Some(String::from_utf8(tree.read(path, 1000).unwrap()?.to_vec()).unwrap())
}

#[test]
fn files_of_submodules_are_read_as_in_a_checkout() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let elsewhere = GitServer::builder().basic_auth("bob", "hunter2").start().unwrap();
    let deep = server.repository("org/deep").unwrap().commit("main").file("z", "deep").submit().unwrap();
    let lib = server
        .repository("org/lib")
        .unwrap()
        .commit("main")
        .file("chart/values.yaml", "a: 1")
        .file(".gitmodules", modules(&[("inner", "../deep.git")]))
        .symlink("up", "../../top.yaml")
        .submodule("inner", deep.as_str())
        .submit()
        .unwrap();
    let far = elsewhere.repository("far").unwrap().commit("main").file("f", "far").submit().unwrap();
    server
        .repository("org/app")
        .unwrap()
        .commit("main")
        .file("top.yaml", "top")
        .file(".gitmodules", modules(&[("vendor/lib", "../lib.git"), ("far", &elsewhere.url("far"))]))
        .submodule("vendor/lib", lib.as_str())
        .submodule("far", far.as_str())
        .submodule("unnamed", far.as_str())
        .symlink("link", "vendor/lib/chart")
        .submit()
        .unwrap();
    let mut templates = CredentialTemplates::default();
    let bob = Access {
        authentication: Authentication::Basic { username: "bob".into(), password: "hunter2".into() },
        ..ada()
    };
    templates.insert(&elsewhere.base_url(), bob);
    let rig = Rig::new();
    let repository = rig.repository(&server.url("org/app"), &ada());
    let snapshot = update(&repository, "main").unwrap();
    let access_to = |url: &RepositoryUrl, own: Access| templates.for_url(url).cloned().unwrap_or(own);
    let tree = rig.store.with_submodules(&repository, &snapshot, &access_to, Freshness::New).unwrap();
    assert!(tree.has_submodules() && tree.is_submodule("vendor/lib") && !tree.is_submodule("unnamed"));
    for (path, expected) in [
        ("top.yaml", Some("top")),
        ("vendor/lib/chart/values.yaml", Some("a: 1")),
        ("link/values.yaml", Some("a: 1")),
        ("vendor/lib/inner/z", Some("deep")),
        ("vendor/lib/up", Some("top")),
        ("far/f", Some("far")),
        ("unnamed/f", None),
        ("vendor/lib/none", None),
    ] {
        assert_eq!(text(&tree, path).as_deref(), expected, "{path}");
    }
    let names = |path: &str| -> Vec<(String, EntryKind)> {
        let listed = tree.list(path).unwrap().unwrap();
        listed.into_iter().map(|(name, entry)| (name.to_string(), entry.kind)).collect()
    };
    assert_eq!(names("vendor"), [("lib".to_string(), EntryKind::Directory)]);
    assert!(names("").contains(&("unnamed".to_string(), EntryKind::Submodule)));
    assert_eq!(names("vendor/lib/inner"), [("z".to_string(), EntryKind::File)]);
    let in_lib = tree.entry("vendor/lib").unwrap().unwrap().digest;
    let of_lib = update(&rig.repository(&server.url("org/lib"), &ada()), "main").unwrap().tree.digest();
    assert_eq!(in_lib, of_lib);
    assert!(tree.is_link("vendor/lib/up").unwrap() && !tree.is_link("vendor/lib").unwrap());
    assert!(tree.entry("../x").is_err());
    // Without credentials for the other host none are sent there, not even ours.
    elsewhere.forget_requests();
    let rig = Rig::new();
    let repository = rig.repository(&server.url("org/app"), &ada());
    let snapshot = update(&repository, "main").unwrap();
    let error = rig.store.with_submodules(&repository, &snapshot, &|_, own| own, Freshness::New).unwrap_err();
    assert!(matches!(error, SourceError::AuthenticationFailed { anonymous: true, .. }), "{}", chain(&error));
    assert!(elsewhere.requests().iter().all(|request| !request.authenticated));
}

#[test]
fn hostile_submodules_are_refused() {
    let server = GitServer::start().unwrap();
    let rig = Rig::new();
    let secret = GitRepository::init(rig.folder.path().join("secret.git")).unwrap();
    let hidden = secret.commit("main").file("f", "hidden").submit().unwrap();
    let outcome = |address: &str| {
        let repository = server.repository("app").unwrap();
        let files = modules(&[("sub", address)]);
        repository
            .commit("main")
            .file(".gitmodules", files)
            .submodule("sub", hidden.as_str())
            .submit()
            .unwrap();
        let repository = rig.anonymous(&server.url("app"));
        let snapshot = update(&repository, "main").unwrap();
        let tree = rig.store.with_submodules(&repository, &snapshot, &|_, own| own, Freshness::New);
        tree.unwrap_err()
    };
    let path = secret.file_url();
    for address in [path.as_str(), path.strip_prefix("file://").unwrap_or(&path)] {
        assert_eq!(outcome(address).reason(), "RepositoryRefused", "{address}");
    }
    assert_eq!(outcome("ext::sh -c true").reason(), "ProtocolError");
    assert_eq!(outcome("../../../../../x").reason(), "ProtocolError");
    assert!(Policy::trusting().schemes.contains(&Scheme::Local));
}
