//! Git LFS of repositories that are reached over SSH, and of submodules.

use std::sync::Arc;

use windlass_model::Tree;
use windlass_source::{
    Access, Authentication, CredentialTemplates, Freshness, LfsTree, RepositoryUrl, chain,
};
use windlass_testing::{Fault, FileServer, GitServer, SshGitServer};

use crate::submodules::{ada, modules};
use crate::{Rig, ssh, update};

/// What the tests' servers let in with.
const TOKEN: &str = "one-time-t0ken";

struct Scene {
    ssh: SshGitServer,
    server: GitServer,
    rig: Rig,
}

impl Scene {
    /// `None` where no SSH server is installed.
    fn new() -> Option<Self> {
        SshGitServer::is_available().then(|| Self {
            ssh: SshGitServer::start().unwrap(),
            server: GitServer::builder().bearer_token(TOKEN).start().unwrap(),
            rig: Rig::new(),
        })
    }

    fn access(&self) -> Access {
        Access { credentials_over_http: true, ..ssh::access(&self.ssh) }
    }

    /// The files of a repository over SSH.
    fn tree(&self, name: &str, access: &Access, files: &[(&str, &str)]) -> LfsTree {
        let git = self.ssh.repository(name).unwrap();
        let mut commit = git.commit("main");
        for (path, content) in files {
            commit = commit.file(*path, *content);
        }
        commit.submit().unwrap();
        let repository = self.rig.repository(&self.ssh.url(name), access);
        repository.with_lfs(Arc::new(update(&repository, "main").unwrap().tree)).unwrap()
    }

    /// What the server answers over SSH, with `rest` after the address and the token.
    fn answer(&self, rest: &str) {
        let href = format!("{}/app.git/info/lfs", self.server.base_url());
        let said = format!(r#"{{"href": "{href}", "header": {{"Authorization": "Bearer {TOKEN}"}}{rest}}}"#);
        // Only who asks rightly is answered.
        let script =
            format!("test \"$2\" = download -a -d \"$1\" -a $# = 2 || exit 9\ncat <<'END'\n{said}\nEND");
        self.ssh.answer_lfs(&script).unwrap();
    }
}

fn text(tree: &dyn Tree, path: &str) -> String {
    String::from_utf8(tree.read(path, 1 << 20).unwrap().unwrap().to_vec()).unwrap()
}

fn failure(tree: &dyn Tree, path: &str) -> String {
    let said = chain(&tree.read(path, 1 << 20).unwrap_err());
    assert!(!said.contains(TOKEN), "{said}");
    said
}

#[test]
fn the_server_says_over_ssh_where_and_with_what() {
    let Some(scene) = Scene::new() else { return };
    let pointers = ["one\n", "two\n", "three\n"].map(|content| scene.server.keep_lfs(content));
    let files = [("1", pointers[0].as_str()), ("2", &pointers[1]), ("3", &pointers[2])];
    scene.answer(r#", "expires_in": 600"#);
    let tree = scene.tree("team/it's", &scene.access(), &files);
    assert_eq!((text(&tree, "1"), text(&tree, "2")), ("one\n".to_string(), "two\n".to_string()));
    assert_eq!(scene.ssh.lfs_authentications(), 1);
    assert!(scene.server.requests().iter().all(|request| request.authenticated && request.status == 200));
    assert_eq!(scene.server.requests()[0].path, "/app.git/info/lfs/objects/batch");
    // A token that is refused before its time is replaced.
    scene.server.fail_next(1, Fault::Status(403));
    assert_eq!(text(&tree, "3"), "three\n");
    assert_eq!(scene.ssh.lfs_authentications(), 2);
}

#[test]
fn an_answer_that_has_ended_is_not_used_again() {
    let Some(scene) = Scene::new() else { return };
    let pointers = ["one\n", "two\n"].map(|content| scene.server.keep_lfs(content));
    scene.answer(r#", "expires_in": 1"#);
    let tree = scene.tree("app", &scene.access(), &[("1", &pointers[0]), ("2", &pointers[1])]);
    assert_eq!((text(&tree, "1"), text(&tree, "2")), ("one\n".to_string(), "two\n".to_string()));
    assert_eq!(scene.ssh.lfs_authentications(), 2);
}

#[test]
fn nobody_else_gets_the_token_or_our_credentials() {
    let Some(scene) = Scene::new() else { return };
    let storage = FileServer::start().unwrap();
    let pointer = scene.server.keep_lfs("far away\n");
    let digits = pointer.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    storage.put(&format!("lfs/{digits}"), "far away\n");
    scene.server.keep_lfs_at(&storage.base_url());
    scene.answer("");
    let tree = scene.tree("app", &scene.access(), &[("file", &pointer)]);
    assert_eq!(text(&tree, "file"), "far away\n");
    assert!(!storage.requests().is_empty());
    assert!(storage.requests().iter().all(|request| !request.authenticated()));
    // A server that is named without headers gets none, whatever the repository is reached with.
    let open = GitServer::start().unwrap();
    let pointer = open.keep_lfs("open\n");
    scene.ssh.answer_lfs(&format!("echo '{{\"href\": \"{}/info/lfs\"}}'", open.base_url())).unwrap();
    let tree = scene.tree("open", &scene.access(), &[("file", &pointer)]);
    assert_eq!(text(&tree, "file"), "open\n");
    assert!(!open.requests().is_empty() && open.requests().iter().all(|request| !request.authenticated));
    // Nothing secret goes over http where that is not allowed.
    scene.answer("");
    let pointer = scene.server.keep_lfs("not asked for\n");
    let tree = scene.tree("strict", &ssh::access(&scene.ssh), &[("file", &pointer)]);
    scene.server.forget_requests();
    assert!(failure(&tree, "file").contains("in clear text over http"));
    assert!(scene.server.requests().is_empty() && tree.has_failed());
}

#[test]
fn what_goes_wrong_over_ssh_is_told_without_secrets() {
    let Some(scene) = Scene::new() else { return };
    let pointer = scene.server.keep_lfs("content\n");
    let tree = scene.tree("app", &scene.access(), &[("file", &pointer)]);
    for (script, expected) in [
        (format!("echo 'garbage {TOKEN}'"), "the answer of git-lfs-authenticate is not readable"),
        (String::new(), "the answer of git-lfs-authenticate is not readable"),
        (format!("echo '[\"{TOKEN}\"]'"), "the answer of git-lfs-authenticate is not readable"),
        (format!("echo {TOKEN}; echo {TOKEN} >&2; exit 3"), "git-lfs-authenticate ended with status 3"),
        ("echo 'Access denied' >&2; exit 1".to_string(), "is forbidden"),
        ("echo 'Repository not found' >&2; exit 1".to_string(), "there is no repository at"),
        (format!("echo '{{\"href\": \"file:///{TOKEN}\"}}'"), "names an address that cannot be used"),
        (format!("yes {TOKEN}"), "larger than the limit MAX_GRANT_BYTES"),
        ("kill -9 $$".to_string(), "git-lfs-authenticate ended with"),
    ] {
        scene.ssh.answer_lfs(&script).unwrap();
        let said = failure(&tree, "file");
        assert!(said.contains(expected), "{script}: {said}");
    }
    assert!(scene.server.requests().is_empty());
    // The next answer is a good one.
    scene.answer("");
    assert_eq!(text(&tree, "file"), "content\n");
}

#[test]
fn a_server_without_the_command_is_asked_over_https() {
    let Some(scene) = Scene::new() else { return };
    let pointer = scene.server.keep_lfs("content\n");
    // `git shell` knows no such command; another shell has no such program.
    for (name, script) in [("plain", None), ("shell", Some("exit 127"))] {
        script.into_iter().for_each(|script| scene.ssh.answer_lfs(script).unwrap());
        let tree = scene.tree(name, &scene.access(), &[("file", &pointer)]);
        let asked = scene.ssh.lfs_authentications();
        // Nobody listens there: two are asked for, and the server only once.
        for _ in 0..2 {
            assert!(
                failure(&tree, "file").starts_with("cannot read file from the store: cannot reach ssh://")
            );
        }
        assert_eq!(scene.ssh.lfs_authentications(), asked + 1);
    }
}

#[test]
fn files_of_submodules_come_from_their_own_servers() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let elsewhere = GitServer::builder().basic_auth("bob", "hunter2").start().unwrap();
    let (own, far) = (server.keep_lfs("own\n"), elsewhere.keep_lfs("far\n"));
    let nested = elsewhere.keep_lfs(server.keep_lfs("of another repository\n"));
    let submodule = elsewhere
        .repository("far")
        .unwrap()
        .commit("main")
        .file("chart/large", far.as_str())
        .file("nested", nested)
        .file("plain", "plain\n")
        .submit()
        .unwrap();
    server
        .repository("app")
        .unwrap()
        .commit("main")
        .file("large", own.as_str())
        .file(".gitmodules", modules(&[("far", &elsewhere.url("far"))]))
        .submodule("far", submodule.as_str())
        .symlink("link", "far/chart/large")
        .submit()
        .unwrap();
    let mut templates = CredentialTemplates::default();
    let authentication = Authentication::Basic { username: "bob".into(), password: "hunter2".into() };
    templates.insert(&elsewhere.base_url(), Access { authentication, ..ada() });
    let access_to = |url: &RepositoryUrl, own: Access| templates.for_url(url).cloned().unwrap_or(own);
    let rig = Rig::new();
    let composite = |access: &Access| {
        let repository = rig.repository(&server.url("app"), access);
        let snapshot = update(&repository, "main").unwrap();
        let tree = rig.store.with_submodules(&repository, &snapshot, &access_to, Freshness::New).unwrap();
        (repository, tree)
    };
    // Where they are not wanted, pointers stay what they are.
    let (_, without) = composite(&ada());
    assert_eq!(text(&without, "far/chart/large"), far);
    let (repository, with) = composite(&Access { lfs: true, ..ada() });
    let digest = |tree: &dyn Tree| tree.entry("far/chart/large").unwrap().unwrap().digest;
    assert_ne!(digest(&without), digest(&with));
    let tree = repository.with_lfs(Arc::new(with.clone())).unwrap();
    server.forget_requests();
    elsewhere.forget_requests();
    for (path, expected) in
        [("far/chart/large", "far\n"), ("link", "far\n"), ("far/plain", "plain\n"), ("large", "own\n")]
    {
        assert_eq!(text(&tree, path), expected, "{path}");
    }
    let asked = |server: &GitServer| -> Vec<_> {
        server.requests().into_iter().map(|it| (it.method, it.authenticated, it.status)).collect()
    };
    let once = [("POST".to_string(), true, 200), ("GET".to_string(), true, 200)];
    assert_eq!((asked(&server), asked(&elsewhere)), (once.to_vec(), once.to_vec()));
    // The same limits.
    assert!(matches!(
        tree.read("far/chart/large", 3).unwrap_err(),
        windlass_model::TreeError::TooLarge { size: 4, limit: 3, .. }
    ));
    assert!(!with.is_damaged());
    // What a submodule's server sends is not asked for once more, at the server of another repository.
    server.forget_requests();
    assert!(failure(&tree, "far/nested").contains("is itself a pointer"));
    assert!(server.requests().is_empty());
    // What cannot be had is asked for again.
    let (_, fresh) = composite(&Access { lfs: true, ..ada() });
    let digits = far.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    for entry in walk(rig.folder.path()).into_iter().filter(|path| path.ends_with(digits)) {
        std::fs::remove_file(entry).unwrap();
    }
    elsewhere.set_fault(Some(Fault::Status(503)));
    assert!(failure(&fresh, "far/chart/large").contains("503") && fresh.is_damaged());
    elsewhere.set_fault(None);
    assert_eq!(text(&fresh, "far/chart/large"), "far\n");
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
