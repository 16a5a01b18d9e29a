//! Texts around packets: armor, and the cleartext signature framework (RFC 9580, sections 6 and 7).

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};

use crate::SignatureError;

/// A text and the packets of its signatures.
pub(super) struct ClearSigned {
    /// The text without escapes, lines ended by a line feed.
    pub(super) text: String,
    /// What was signed: lines without blanks at their ends, separated by carriage return and line feed.
    pub(super) canonical: Vec<u8>,
    /// The packets.
    pub(super) signatures: Vec<u8>,
}

const MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// Finds the clear-signed text.
pub(super) fn clear_signed(bytes: &[u8]) -> Result<ClearSigned, SignatureError> {
    let malformed = |problem| SignatureError::Malformed { what: "the signed text", problem };
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is no text in UTF-8"))?;
    let mut lines = text.lines().skip_while(|line| line.trim_end() != MESSAGE);
    lines.next().ok_or(SignatureError::NoSignature)?;
    for line in lines.by_ref() {
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if !line.starts_with("Hash: ") {
            return Err(malformed("only `Hash` may stand above a signed text"));
        }
    }
    let mut signed: Vec<&str> = Vec::new();
    let mut is_over = false;
    for line in lines.by_ref() {
        if line.trim_end() == SIGNATURE {
            is_over = true;
            break;
        }
        match line.strip_prefix("- ") {
            Some(escaped) => signed.push(escaped),
            None if line.starts_with('-') => {
                return Err(malformed("a line begins with a dash that is not escaped"));
            }
            None => signed.push(line),
        }
    }
    if !is_over {
        return Err(SignatureError::NoSignature);
    }
    let signatures = dearmored(lines).ok_or(malformed("the signature's armor is damaged"))?;
    let lines: Vec<&str> = signed.iter().map(|line| line.trim_end_matches([' ', '\t', '\r'])).collect();
    Ok(ClearSigned { text: signed.join("\n"), canonical: lines.join("\r\n").into_bytes(), signatures })
}

/// The packets of an armored signature.
pub(super) fn signature(text: &str) -> Option<Vec<u8>> {
    let mut lines = text.lines();
    lines.by_ref().find(|line| line.trim_end() == SIGNATURE)?;
    dearmored(lines)
}

/// What is signed of a text whose signature lies beside it: every line ends with carriage return and line feed.
pub(super) fn canonical_lines(text: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                canonical.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                canonical.extend_from_slice(b"\r\n");
            }
            None => canonical.extend_from_slice(line),
        }
    }
    canonical
}

/// The packets of a keyring: those of every armored block, or the bytes as they are.
pub(super) fn keys(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEYS: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains(KEYS)) else {
        return Some(bytes.to_vec());
    };
    let mut packets = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line.trim_end() == KEYS) {
        packets.extend(dearmored(lines.by_ref())?);
    }
    Some(packets)
}

/// The content of a block from the line behind its first one on. The checksum says nothing that a signature does not
/// say better, and newer writers leave it out.
fn dearmored<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut digits = String::new();
    let mut is_header = true;
    for line in lines {
        let line = line.trim();
        if line.starts_with("-----END ") {
            return DIGITS.decode(digits).ok();
        }
        if is_header {
            // Headers end with an empty line, which may be missing where there are none.
            is_header = line.contains(": ");
            if is_header || line.is_empty() {
                continue;
            }
        }
        if !line.starts_with('=') {
            digits.push_str(line);
        }
    }
    None
}

/// Base64 whose padding and last bits nobody checks, as OpenPGP's readers take it.
const DIGITS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
