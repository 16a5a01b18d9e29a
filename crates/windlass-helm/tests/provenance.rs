//! Provenance files of keys of many kinds, next to what `helm verify` 4.3.1 says: `tools/oracle-helm/provenance.sh`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use windlass_helm::provenance::{Keyring, ProvenanceError, Verified, verify};

/// Later than every signature here.
const NOW: u64 = 1_893_456_000;

const ARCHIVE: &str = "web-1.0.0.tgz";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provenance")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn keyring() -> Keyring {
    Keyring::parse(&read("keyring.gpg")).unwrap()
}

fn check(name: &str, keyring: &Keyring) -> Result<Verified, ProvenanceError> {
    verify(&read(ARCHIVE), ARCHIVE, &read(&format!("{name}.prov")), keyring, NOW)
}

/// What Helm still believes and we do not.
const TOO_WEAK: [(&str, &str); 3] = [
    ("dsa", "OpenPGP's public-key algorithm 17 is not supported"),
    ("sha1", "OpenPGP's hash algorithm 2 is not supported"),
    ("small", "is an RSA key of less than 2048 bits"),
];

#[test]
fn signatures_are_believed_as_helm_believes_them() {
    let keyrings = [keyring(), Keyring::parse(&read("keyring.asc")).unwrap()];
    let expected = String::from_utf8(read("expected.txt")).unwrap();
    for line in expected.lines() {
        let (name, helm) = line.split_once(": ").unwrap();
        for keyring in &keyrings {
            let ours = check(name, keyring);
            if let Some((_, problem)) = TOO_WEAK.iter().find(|(weak, _)| *weak == name) {
                assert!(ours.unwrap_err().to_string().ends_with(problem), "{name}");
                continue;
            }
            match helm.strip_prefix("ok ") {
                Some(said) => {
                    let Verified { signers, fingerprint, digest } =
                        ours.unwrap_or_else(|error| panic!("{name}: {error}"));
                    let shown = format!(
                        "Signed by: {} Using Key With Fingerprint: {fingerprint} Chart Hash Verified: {digest}",
                        signers.join(" Signed by: ")
                    );
                    assert_eq!(shown, said.trim_end(), "{name}");
                }
                None => {
                    let (ours, helm) =
                        (ours.unwrap_err().to_string(), helm.trim_end().trim_start_matches("Error: "));
                    // Helm's words where they are not those of a library.
                    let is_of_helm = !helm.starts_with("openpgp: ");
                    assert!(!is_of_helm || ours == helm, "{name}\nhelm: {helm}\nours: {ours}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let keyring = keyring();
    let said = |name: &str| check(name, &keyring).unwrap_err().to_string();
    assert!(said("short").ends_with("has expired"));
    assert!(said("gone").ends_with("is revoked"));
    assert_eq!(said("stranger"), "signature made by unknown entity");
    assert_eq!(said("past"), "invalid signature: it has expired");
    assert_eq!(said("changed"), "invalid signature: the text was changed, or another key has signed it");
    // Before it was made, a signature is from the future.
    let early = verify(&read(ARCHIVE), ARCHIVE, &read("rsa.prov"), &keyring, 1_767_312_000).unwrap_err();
    assert_eq!(early.to_string(), "invalid signature: it is from the future");
    let mut archive = read(ARCHIVE);
    archive[40] ^= 1;
    let other = verify(&archive, ARCHIVE, &read("rsa.prov"), &keyring, NOW).unwrap_err();
    assert!(matches!(other, ProvenanceError::Mismatch { .. }), "{other}");
}

/// Whatever is changed, nothing is believed, and nothing panics.
#[test]
fn damage_is_never_believed() {
    let keyring = keyring();
    let (archive, provenance) = (read(ARCHIVE), read("ed.prov"));
    let text = String::from_utf8_lossy(&provenance);
    let body = text.find("name").unwrap()..text.find("-----BEGIN PGP SIGNATURE").unwrap();
    for at in body.step_by(3) {
        for bit in [0, 3] {
            let mut changed = provenance.clone();
            changed[at] ^= 1 << bit;
            // Blanks at the ends of lines are not signed.
            let is_blank = |byte: u8| byte.is_ascii_whitespace();
            if is_blank(changed[at]) || is_blank(provenance[at]) {
                continue;
            }
            assert!(verify(&archive, ARCHIVE, &changed, &keyring, NOW).is_err(), "byte {at}, bit {bit}");
        }
    }
    let whole = read("keyring.gpg");
    for length in (0..whole.len()).step_by(37) {
        let _ = Keyring::parse(&whole[..length]);
        let mut changed = whole.clone();
        changed[length] ^= 0x55;
        if let Ok(changed) = Keyring::parse(&changed) {
            let _ = verify(&archive, ARCHIVE, &provenance, &changed, NOW);
        }
    }
}
