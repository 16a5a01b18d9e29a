//! The Git servers, driven by the real `git`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use windlass_testing::{Fault, GitServer, Proxy, Repository, SshGitServer};

fn git(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn clone(url: &str, options: &[&str], variables: &[(&str, &str)]) -> Result<TempDir, String> {
    let directory = TempDir::new().unwrap();
    let arguments = [options, &["clone", "--quiet", url, "."]].concat();
    let output = git(directory.path(), &arguments, variables);
    if output.status.success() {
        return Ok(directory);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn anyone_clones_from_an_open_server() {
    let server = GitServer::start().unwrap();
    let repository = server.repository("team/app").unwrap();
    let commit = repository.write("main", "dir/a file.txt", "hello\n").unwrap();
    let work_tree = clone(&server.url("team/app"), &[], &[]).unwrap();
    assert_eq!(std::fs::read_to_string(work_tree.path().join("dir/a file.txt")).unwrap(), "hello\n");
    let head = git(work_tree.path(), &["rev-parse", "HEAD"], &[]).stdout;
    assert_eq!(String::from_utf8_lossy(&head).trim(), commit.as_str());
    assert_eq!((server.handshakes(), server.fetches()), (1, 1), "{:#?}", server.requests());
    assert_eq!(server.requests()[0].protocol, "version=2");
    assert!(clone(&server.url("no/such"), &[], &[]).unwrap_err().contains("not found"));
}

#[test]
fn a_password_is_needed_where_one_is_set() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    server.repository("app").unwrap().write("main", "a", "1").unwrap();
    assert!(clone(&server.url("app"), &[], &[]).is_err());
    assert_eq!(server.requests().last().unwrap().status, 401);
    let wrong = server.url("app").replace("://", "://ada:wrong@");
    assert!(clone(&wrong, &[], &[]).unwrap_err().contains("Authentication failed"));
    clone(&server.url_with_credentials("app"), &[], &[]).unwrap();
}

#[test]
fn a_bearer_token_is_needed_where_one_is_set() {
    let server = GitServer::builder().bearer_token("t0ken").start().unwrap();
    server.repository("app").unwrap().write("main", "a", "1").unwrap();
    assert!(clone(&server.url("app"), &[], &[]).is_err());
    clone(&server.url("app"), &["-c", "http.extraHeader=Authorization: Bearer t0ken"], &[]).unwrap();
}

#[test]
fn tls_needs_the_authority_and_where_asked_a_client_certificate() {
    let server = GitServer::builder().client_certificates().start().unwrap();
    server.repository("app").unwrap().write("main", "a", "1").unwrap();
    let files = TempDir::new().unwrap();
    let write = |name: &str, content: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let authority = write("ca.pem", server.authority_pem().unwrap());
    let identity = server.client_identity().unwrap();
    let certificate = write("client.pem", &identity.certificate_pem);
    let key = write("client.key", &identity.key_pem);
    assert!(clone(&server.url("app"), &[], &[]).unwrap_err().contains("certificate"));
    assert!(clone(&server.url("app"), &[], &[("GIT_SSL_CAINFO", &authority)]).is_err());
    let variables =
        [("GIT_SSL_CAINFO", authority.as_str()), ("GIT_SSL_CERT", &certificate), ("GIT_SSL_KEY", &key)];
    clone(&server.url("app"), &[], &variables).unwrap();
}

#[test]
fn who_may_push_pushes() {
    let server = GitServer::builder().basic_auth("ada", "s3cret").allow_push().start().unwrap();
    let repository = server.repository("app").unwrap();
    let first = repository.write("main", "a", "1").unwrap();
    let work_tree = clone(&server.url_with_credentials("app"), &[], &[]).unwrap();
    std::fs::write(work_tree.path().join("a"), "2").unwrap();
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    git(work_tree.path(), &[&identity[..], &["commit", "-qam", "second"]].concat(), &[]);
    let pushed = git(work_tree.path(), &["push", "--quiet"], &[]);
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    assert_ne!(repository.resolve("main").unwrap(), first);
}

#[test]
fn faults_happen_as_often_as_asked() {
    let server = GitServer::start().unwrap();
    let repository = server.repository("app").unwrap();
    // Incompressible, so that cutting the answer short really cuts the pack.
    let noise = (0_u32..20_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>();
    repository.write("main", "noise", noise).unwrap();
    let url = server.url("app");
    for fault in [Fault::Status(500), Fault::Disconnect] {
        server.fail_next(1, fault);
        assert!(clone(&url, &[], &[]).is_err(), "{fault:?}");
        clone(&url, &[], &[]).unwrap();
    }
    server.set_fault(Some(Fault::CutAfter(1_000)));
    assert!(clone(&url, &[], &[]).is_err());
    server.set_fault(None);
    let delay = Duration::from_millis(300);
    server.fail_next(1, Fault::Delay(delay));
    let started = Instant::now();
    clone(&url, &[], &[]).unwrap();
    assert!(started.elapsed() >= delay);
}

#[test]
fn a_proxy_leads_to_both_kinds_of_servers() {
    let proxy = Proxy::start_with_auth("ada", "s3cret").unwrap();
    let with_credentials = proxy.url().replace("://", "://ada:s3cret@");
    let files = TempDir::new().unwrap();
    let authority = files.path().join("ca.pem");

    let plain = GitServer::start().unwrap();
    proxy.route("git.example.com", plain.address());
    plain.repository("app").unwrap().write("main", "a", "1").unwrap();
    let url = "http://git.example.com/app.git";
    assert!(clone(url, &[], &[("http_proxy", &proxy.url())]).unwrap_err().contains("407"));
    clone(url, &[], &[("http_proxy", &with_credentials)]).unwrap();

    let tls = GitServer::builder().tls().start().unwrap();
    proxy.route("localhost", tls.address());
    tls.repository("app").unwrap().write("main", "a", "1").unwrap();
    std::fs::write(&authority, tls.authority_pem().unwrap()).unwrap();
    let variables =
        [("https_proxy", with_credentials.as_str()), ("GIT_SSL_CAINFO", authority.to_str().unwrap())];
    clone(&tls.url("app"), &[], &variables).unwrap();

    let targets = proxy.targets();
    assert_eq!(targets.first().map(String::as_str), Some("git.example.com:80"), "{targets:?}");
    assert!(targets.contains(&format!("localhost:{}", tls.address().port())), "{targets:?}");
}

#[test]
fn a_key_opens_the_ssh_server() {
    let server = SshGitServer::start().unwrap();
    let commit = server.repository("team/app").unwrap().write("main", "a", "1").unwrap();
    let command = server.git_ssh_command();
    let work_tree = clone(&server.url("team/app"), &[], &[("GIT_SSH_COMMAND", &command)]).unwrap();
    let head = git(work_tree.path(), &["rev-parse", "HEAD"], &[]).stdout;
    assert_eq!(String::from_utf8_lossy(&head).trim(), commit.as_str());
    assert_eq!(server.upload_packs(), 1, "{:?}", server.commands());
    let stranger = command.replace("client_key", "host_key");
    let refused = clone(&server.url("team/app"), &[], &[("GIT_SSH_COMMAND", &stranger)]);
    assert!(refused.unwrap_err().contains("Permission denied"));
}

#[test]
fn histories_are_made_and_remade() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::init(directory.path().join("r.git")).unwrap();
    let first = repository.commit("main").file("a", "1").executable("run", "#!/bin/sh\n").submit().unwrap();
    let second = repository.commit("main").symlink("link", "../a").delete("run").submit().unwrap();
    repository.tag("v1.0.0", &first).unwrap();
    repository.annotated_tag("v2.0.0", &second, "two").unwrap();
    assert_eq!(repository.resolve("v2.0.0^{commit}").unwrap(), second);
    assert_ne!(repository.resolve("v2.0.0").unwrap(), second);
    assert_eq!(repository.resolve("main~1").unwrap(), first);
    let listing = repository.git(&["ls-tree", "-r", "main"]).unwrap();
    let modes = listing.lines().map(|line| &line[..6]).collect::<Vec<_>>();
    assert_eq!(modes, ["100644", "120000"], "{listing}");
    let rewritten = repository.commit("main").on_top_of(&first).file("b", "2").submit().unwrap();
    assert_eq!(repository.resolve("main~1").unwrap(), first);
    assert_eq!(repository.resolve("main").unwrap(), rewritten);
    repository.commit("main").orphan().file("c", "3").submit().unwrap();
    assert_eq!(repository.git(&["rev-list", "--count", "main"]).unwrap(), "1");
    assert_eq!(repository.git(&["ls-tree", "--name-only", "main"]).unwrap(), "c");
    repository.commit("main").replacing_everything().file("odd \"name\"\\\n", "4").submit().unwrap();
    assert_eq!(repository.git(&["ls-tree", "-z", "--name-only", "main"]).unwrap(), "odd \"name\"\\\n\0");
}

#[test]
fn the_same_commits_have_the_same_ids() {
    let directory = TempDir::new().unwrap();
    let commit = |name: &str| {
        let repository = Repository::init(directory.path().join(name)).unwrap();
        repository.write("main", "a", "1").unwrap();
        repository.write("main", "a", "2").unwrap()
    };
    assert_eq!(commit("one"), commit("two"));
}

#[test]
fn a_hundred_thousand_files_fit_in_one_commit() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::init(directory.path().join("large.git")).unwrap();
    let files = (0..100_000).map(|n| (format!("d{}/f{n}.yaml", n / 1_000), format!("n: {n}\n")));
    repository.commit("main").files(files).submit().unwrap();
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", "main"]).unwrap().lines().count(), 100_000);
}
