//! Git over SSH against a real `sshd`.

use windlass_source::{Access, Authentication, KnownHosts, SourceError, chain};
use windlass_testing::{GitServer, SshGitServer};

use crate::{Rig, failure, text_at, update};

fn read(path: std::path::PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn access(server: &SshGitServer) -> Access {
    Access {
        authentication: Authentication::SshKey {
            private_key: read(server.client_key()).into(),
            passphrase: None,
        },
        known_hosts: KnownHosts::Strict(read(server.known_hosts())),
        ..Access::default()
    }
}

#[test]
fn commits_are_fetched_over_ssh_without_a_program() {
    if !SshGitServer::is_available() {
        return;
    }
    let server = SshGitServer::start().unwrap();
    let git = server.repository("team/it's").unwrap();
    git.write("main", "file", "first").unwrap();
    git.tag("v1.0.0", "main").unwrap();
    let rig = Rig::new();
    let repository = rig.repository(&server.url("team/it's"), &access(&server));
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("first"));
    git.write("main", "file", "second").unwrap();
    git.commit("main")
        .files((0..500).map(|n| (format!("dir/{n}"), format!("content {n}"))))
        .submit()
        .unwrap();
    let snapshot = update(&repository, "HEAD").unwrap();
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("second"));
    assert_eq!(text_at(&snapshot, "dir/499").as_deref(), Some("content 499"));
    assert_eq!(text_at(&update(&repository, "1.*").unwrap(), "file").as_deref(), Some("first"));
    assert_eq!(server.upload_packs(), 3);
}

#[test]
fn every_kind_of_key_gets_in() {
    if !SshGitServer::is_available() {
        return;
    }
    let server = SshGitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let rig = Rig::new();
    let folder = server.client_key().parent().unwrap().to_path_buf();
    let mut authorized = read(folder.join("authorized_keys"));
    let kinds: [(&str, &[&str], Option<&str>); 5] = [
        ("rsa", &["-t", "rsa", "-b", "2048"], None),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"], None),
        ("ecdsa", &["-t", "ecdsa"], None),
        ("ecdsa-pkcs8", &["-t", "ecdsa", "-m", "PKCS8"], None),
        ("locked", &["-t", "ed25519"], Some("s3cret")),
    ];
    for (name, arguments, passphrase) in kinds {
        let key = rig.folder.path().join(name);
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-C", name, "-N", passphrase.unwrap_or_default(), "-f"])
            .arg(&key)
            .args(arguments)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        authorized.push_str(&read(key.with_extension("pub")));
    }
    std::fs::write(folder.join("authorized_keys"), authorized).unwrap();
    for (name, _, passphrase) in kinds {
        let with = |passphrase: Option<&str>| Access {
            authentication: Authentication::SshKey {
                private_key: read(rig.folder.path().join(name)).into(),
                passphrase: passphrase.map(Into::into),
            },
            ..access(&server)
        };
        let snapshot = update(&rig.repository(&server.url("app"), &with(passphrase)), "main");
        assert!(snapshot.is_ok(), "{name}: {}", chain(&snapshot.unwrap_err()));
        if passphrase.is_some() {
            let message = failure(&rig.repository(&server.url("app"), &with(Some("wr0ng"))), "main");
            assert!(message.starts_with("the SSH private key configured for") && !message.contains("wr0ng"));
        }
    }
}

#[test]
fn strangers_are_told_apart() {
    if !SshGitServer::is_available() {
        return;
    }
    let server = SshGitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let url = server.url("app");
    let rig = Rig::new();
    let good = access(&server);
    let other = SshGitServer::start().unwrap();

    let unknown = Access { known_hosts: KnownHosts::default(), ..good.clone() };
    let message = failure(&rig.repository(&url, &unknown), "main");
    assert!(message.contains("SHA256:") && message.contains("is not in known_hosts"), "{message}");

    let impostor = read(other.known_hosts()).replace(&other.port().to_string(), &server.port().to_string());
    let impostor = Access { known_hosts: KnownHosts::Strict(impostor), ..good.clone() };
    let message = failure(&rig.repository(&url, &impostor), "main");
    assert!(message.contains("the server may be an impostor"), "{message}");

    let blind = Access { known_hosts: KnownHosts::AcceptAny, ..good.clone() };
    assert!(update(&rig.repository(&url, &blind), "main").is_ok());

    let wrong = Access { authentication: access(&other).authentication, ..good.clone() };
    let message = failure(&rig.repository(&url, &wrong), "main");
    assert_eq!(message, format!("{url} did not accept the configured credentials"));
    let nobody = Access { authentication: Authentication::Anonymous, ..good.clone() };
    let message = failure(&rig.repository(&url, &nobody), "main");
    assert_eq!(message, format!("{url} requires credentials, and none are configured"));

    let garbage = Access {
        authentication: Authentication::SshKey { private_key: "s3cret garbage".into(), passphrase: None },
        ..good.clone()
    };
    let message = failure(&rig.repository(&url, &garbage), "main");
    assert!(
        message.starts_with("the SSH private key configured for") && !message.contains("s3cret"),
        "{message}"
    );

    let nowhere = format!("{url}-not-here");
    let error = update(&rig.repository(&nowhere, &good), "main").unwrap_err();
    assert!(matches!(error, SourceError::RepositoryNotFound { .. }), "{}", chain(&error));
}

#[test]
fn what_is_no_ssh_server_is_unreachable() {
    let server = GitServer::start().unwrap();
    let rig = Rig::new();
    let url = server.url("app").replace("http://", "ssh://git@");
    let message = failure(&rig.anonymous(&url), "main");
    assert!(message.starts_with(&format!("cannot reach {url}")), "{message}");
}
