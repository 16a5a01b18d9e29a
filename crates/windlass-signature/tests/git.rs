//! Commits and tags that Git, GnuPG and OpenSSH have signed, with what `git` said of each: `tools/oracle-git`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use windlass_signature::git::{Finding, Keys, SignedObject};
use windlass_signature::openpgp::Keyring;
use windlass_signature::ssh;

/// 2030, later than every signature here.
const NOW: u64 = 1_893_456_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/git")
}

fn keys() -> Keys {
    Keys {
        openpgp: Keyring::parse(&fs::read(folder().join("keyring.asc")).unwrap()).unwrap(),
        ssh: ssh::Keys::parse(&fs::read_to_string(folder().join("allowed_signers")).unwrap()).unwrap(),
    }
}

fn read(name: &str) -> (Vec<u8>, SignedObject) {
    let raw = fs::read(folder().join(name)).unwrap();
    let object =
        if name.ends_with(".tag") { SignedObject::of_tag(&raw) } else { SignedObject::of_commit(&raw) };
    (raw, object)
}

/// Git's letter for a finding, and the key that it prints.
fn shown(finding: &Finding) -> String {
    let letter = match finding {
        Finding::Good { .. } => "G",
        Finding::Unsigned => "N",
        Finding::Bad { .. } => "B",
        Finding::ExpiredSignature { .. } => "X",
        Finding::ExpiredKey { .. } => "Y",
        Finding::RevokedKey { .. } => "R",
        Finding::UnknownKey { .. } => "E",
    };
    format!("{letter} {}", finding.key()).trim_end().to_owned()
}

#[test]
fn findings_are_those_of_git() {
    let keys = keys();
    let expected = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let mut n_cases = 0;
    for line in expected.lines() {
        let (name, said) = line.split_once(' ').unwrap();
        // Git calls a good signature by a key that nobody allowed good but not trusted, and names no key for a bad one.
        let said = match (name, said.trim_end()) {
            ("ssh-other.commit", said) => said.replacen('U', "E", 1),
            (_, said) => said.to_owned(),
        };
        let ours = shown(&read(name).1.check(&keys, NOW));
        let ours = if said == "B" { ours[..1].to_owned() } else { ours };
        assert_eq!(ours, said, "{name}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 20);
}

/// Whatever bit of a commit is changed: what was signed is not that any more.
#[test]
fn no_bit_of_what_is_signed_can_be_changed() {
    let keys = keys();
    for name in ["ed25519.commit", "merge.commit", "ssh-ed25519.commit", "t-signed.tag", "t-ssh.tag"] {
        let (_, object) = read(name);
        assert!(matches!(object.check(&keys, NOW), Finding::Good { .. }), "{name}");
        for at in 0..object.payload.len() {
            let mut changed = object.clone();
            changed.payload[at] ^= 1;
            let finding = changed.check(&keys, NOW);
            assert!(matches!(finding, Finding::Bad { .. }), "{name} at {at}: {finding:?}");
        }
    }
}

/// Bytes that are no commit, and parts of one, are nothing that somebody has signed, and no reason to panic.
#[test]
fn damaged_objects_are_not_signed_by_anybody() {
    let keys = keys();
    for name in ["ed25519.commit", "ssh-ed25519.commit", "t-signed.tag"] {
        let (raw, whole) = read(name);
        for end in 0..raw.len() {
            let part = &raw[..end];
            for object in [SignedObject::of_commit(part), SignedObject::of_tag(part)] {
                let good = matches!(object.check(&keys, NOW), Finding::Good { .. });
                assert!(!good || object.payload == whole.payload, "{name} up to {end}");
            }
        }
    }
}

#[test]
fn a_signature_counts_for_git_alone() {
    let keys = keys();
    let (_, mut object) = read("ssh-ed25519.commit");
    // The namespace stands in the armor in plain text; another one of the same length is not `git`.
    let armored = object.signature.clone().unwrap();
    let digits: String = armored.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    use base64::Engine as _;
    let mut bytes = base64::engine::general_purpose::STANDARD.decode(digits).unwrap();
    let at = bytes.windows(7).position(|part| part == b"\0\0\0\x03git").unwrap();
    bytes[at + 4..at + 7].copy_from_slice(b"tag");
    let digits = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<_> = digits.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    object.signature =
        Some(format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n")));
    assert!(matches!(object.check(&keys, NOW), Finding::Bad { .. }));
}

#[test]
fn a_list_without_keys_is_an_error() {
    for text in ["", "# a comment", "not a key", "ssh-ed25519 AAAA"] {
        assert!(ssh::Keys::parse(text).is_err(), "{text}");
    }
}
