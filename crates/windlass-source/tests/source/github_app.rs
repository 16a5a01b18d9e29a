//! GitHub Apps: tokens bought from an API on a real socket, renewed when they are refused.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use windlass_source::{Access, Authentication, GitHubApp};
use windlass_testing::GitServer;

use crate::{Rig, update};

/// A new RSA key, as GitHub gives it.
fn private_key() -> String {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read_to_string(path).unwrap()
}

fn access(server: &GitServer, private_key: &str, installation_id: Option<u64>) -> Access {
    let app = GitHubApp {
        app_id: 7,
        installation_id,
        private_key: private_key.into(),
        api_url: format!("{}/api/v3", server.base_url()),
    };
    Access {
        authentication: Authentication::GitHubApp(Box::new(app)),
        credentials_over_http: true,
        ..Access::default()
    }
}

#[test]
fn an_installation_s_token_is_bought_once_and_renewed() {
    let server = GitServer::builder().github_app(42).start().unwrap();
    server.repository("org/app").unwrap().write("main", "file", "1").unwrap();
    let key = private_key();
    for installation_id in [Some(42), None] {
        let rig = Rig::new();
        let repository = rig.repository(&server.url("org/app"), &access(&server, &key, installation_id));
        update(&repository, "main").unwrap();
        update(&repository, "main").unwrap();
        let statements = server.github_statements();
        let n_calls = if installation_id.is_some() { 1 } else { 2 };
        assert_eq!(statements.len(), n_calls, "{statements:?}");
        let parts: Vec<&str> = statements[0].split('.').collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "7");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 256);
        // A token that is taken back is bought anew.
        server.revoke_github_tokens();
        server.forget_github_statements();
        update(&repository, "main").unwrap();
        assert_eq!(server.github_statements().len(), n_calls);
        server.forget_github_statements();
    }
}

#[test]
fn what_is_wrong_with_an_app_is_told_without_its_key() {
    let server = GitServer::builder().github_app(42).start().unwrap();
    server.repository("org/app").unwrap().write("main", "file", "1").unwrap();
    let key = private_key();
    for (key, installation_id, expected) in [
        (key.as_str(), Some(43), "GitHub knows no installation of it"),
        ("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n", Some(42), "key"),
        ("s3cret", Some(42), "it holds no PEM private key"),
    ] {
        let rig = Rig::new();
        let repository = rig.repository(&server.url("org/app"), &access(&server, key, installation_id));
        let said = crate::failure(&repository, "main");
        assert!(said.contains(expected) && !said.contains("s3cret") && !said.contains("c2VjcmV0"), "{said}");
    }
}
