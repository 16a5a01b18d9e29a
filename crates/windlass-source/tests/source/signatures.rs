//! Who has signed what is fetched: a history that Git and GnuPG have made (`tools/oracle-git`).

use std::fs;
use std::path::{Path, PathBuf};

use windlass_source::signature::Finding;
use windlass_source::{Repository, SignatureScope, SignedRevision, TrustedKeys};
use windlass_testing::GitServer;

use crate::{Rig, update};

/// 2030, later than every signature here.
const NOW: u64 = 1_893_456_000;

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../windlass-signature/tests/git").join(name)
}

fn keys() -> TrustedKeys {
    TrustedKeys::read([fs::read_to_string(recorded("keyring.asc")).unwrap().as_str()], [])
}

fn server() -> GitServer {
    let server = GitServer::start().unwrap();
    server.repository("app").unwrap().take_bundle(&recorded("app.bundle")).unwrap();
    server
}

fn signatures(repository: &Repository, revision: &str, scope: SignatureScope) -> Vec<SignedRevision> {
    let revision = update(repository, revision).unwrap().revision;
    repository.signatures(&revision, scope, &keys(), NOW).unwrap()
}

/// Whether each is signed, the newest first; tags by name.
fn shown(found: &[SignedRevision]) -> String {
    let one = |signed: &SignedRevision| {
        let what = match signed.finding {
            Finding::Good { .. } => "signed",
            Finding::Unsigned => "unsigned",
            _ => "bad",
        };
        if signed.name.starts_with('v') { format!("{} {what}", signed.name) } else { what.to_owned() }
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_tag_or_else_the_commit_is_looked_at() {
    let server = server();
    let (rig, path) = (Rig::new(), server.repository("app").unwrap().file_url());
    // What is not on this machine and what is.
    for url in [server.url("app"), path] {
        let repository = rig.anonymous(&url);
        for (revision, expected) in [
            ("app-unsigned", "unsigned"),
            ("app-signed", "signed"),
            ("v1.0.0", "v1.0.0 signed"),
            ("1.0.x", "v1.0.0 signed"),
            ("refs/tags/v1.1.0", "v1.1.0 unsigned"),
            ("v2.0.0", "v2.0.0 signed"),
        ] {
            let found = signatures(&repository, revision, SignatureScope::Head);
            assert_eq!(shown(&found), expected, "{url} {revision}");
            let author =
                if revision.contains('.') { "Jane Doe <jane@example.org>" } else { &found[0].author };
            assert_eq!(author, "Jane Doe <jane@example.org>");
        }
    }
}

#[test]
fn tag_and_commit_are_looked_at_as_flux_s_modes_say() {
    let server = server();
    let (rig, path) = (Rig::new(), server.repository("app").unwrap().file_url());
    for url in [server.url("app"), path] {
        let repository = rig.anonymous(&url);
        for (revision, scope, expected) in [
            ("v1.0.0", SignatureScope::Commit, "signed"),
            ("v1.0.0", SignatureScope::Tag, "v1.0.0 signed"),
            ("v1.0.0", SignatureScope::TagAndCommit, "v1.0.0 signed, signed"),
            ("v2.0.0", SignatureScope::Commit, "unsigned"),
            ("v2.0.0", SignatureScope::Tag, "v2.0.0 signed"),
            ("v2.0.0", SignatureScope::TagAndCommit, "v2.0.0 signed, unsigned"),
            ("v1.1.0", SignatureScope::Tag, "v1.1.0 unsigned"),
            // A branch is no tag, however its commit is signed.
            ("app-signed", SignatureScope::Commit, "signed"),
            ("app-signed", SignatureScope::Tag, "unsigned"),
            ("app-signed", SignatureScope::TagAndCommit, "unsigned, signed"),
        ] {
            let found = signatures(&repository, revision, scope);
            assert_eq!(shown(&found), expected, "{url} {revision} {scope:?}");
        }
    }
}

#[test]
fn a_history_is_looked_at_down_to_the_seals() {
    let server = server();
    let (rig, path) = (Rig::new(), server.repository("app").unwrap().file_url());
    for url in [server.url("app"), path] {
        let repository = rig.anonymous(&url);
        for (revision, expected) in [
            ("app-unsigned", "unsigned"),
            ("app-sealed", "signed"),
            ("app-signed", "signed, signed"),
            ("v1.0.0", "v1.0.0 signed, signed, signed"),
            ("app-open", "unsigned, signed, signed, signed"),
            ("v2.0.0", "v2.0.0 signed, unsigned, signed, signed, signed"),
        ] {
            let found = signatures(&repository, revision, SignatureScope::History);
            assert_eq!(shown(&found), expected, "{url} {revision}");
        }
    }
    // A seal by a key that is not known seals nothing.
    let repository = rig.anonymous(&server.url("app"));
    let revision = update(&repository, "app-signed").unwrap().revision;
    let nobody = TrustedKeys::default();
    let found = repository.signatures(&revision, SignatureScope::History, &nobody, NOW).unwrap();
    assert_eq!(shown(&found), "bad, bad, unsigned");
}
