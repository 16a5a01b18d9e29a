//! PEM blocks.

use super::super::encoding::{base64_decoded, base64_encoded};

/// A block: what stands between its markers, and what the markers say it is.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) content: Vec<u8>,
}

/// Characters of base64 in a line.
const LINE: usize = 64;

/// Writes a block.
pub(super) fn encode(label: &str, content: &[u8]) -> String {
    let encoded = base64_encoded(content);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(LINE) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Reads the first block that is whole; text around it and headers in it are skipped.
pub(super) fn decode(text: &[u8]) -> Option<Block> {
    let text = String::from_utf8_lossy(text);
    let mut rest = &*text;
    loop {
        let begin = find_marker(rest, "-----BEGIN ")?;
        rest = &rest[begin + "-----BEGIN ".len()..];
        let (label, body) = rest.split_once('\n')?;
        let Some(label) = label.trim_end().strip_suffix("-----") else { continue };
        let end = format!("-----END {label}-----");
        let Some(body_end) = find_marker(body, &end) else { continue };
        let lines =
            body[..body_end].lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(':'));
        let encoded: String = lines.collect();
        if let Ok(content) = base64_decoded(encoded.as_bytes()) {
            return Some(Block { label: label.to_owned(), content });
        }
    }
}

/// Where a marker stands at the beginning of a line.
fn find_marker(text: &str, marker: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find(marker) {
        let at = from + found;
        if at == 0 || text[..at].ends_with('\n') {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
