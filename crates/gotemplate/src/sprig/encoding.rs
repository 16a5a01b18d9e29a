//! Base64 and base32, with the errors of Go's decoders, which name the byte.

use crate::function::{Context, Entry, Signature};
use crate::value::{Str, Value};

use super::arguments::{Answer, STRING, text};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("b64enc", Signature::fixed(&[STRING]), |context, arguments| {
        context.charge_memory(text(arguments, 0).len() * 2)?;
        Ok(base64_encoded(text(arguments, 0).as_bytes()).into())
    }),
    Entry::new("b64dec", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(match base64_decoded(text(arguments, 0).as_bytes()) {
            Ok(bytes) => Str::from(bytes).into(),
            Err(error) => error.into(),
        })
    }),
    Entry::new("b32enc", Signature::fixed(&[STRING]), base32_encode),
    Entry::new("b32dec", Signature::fixed(&[STRING]), base32_decode),
];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Standard base64 with padding.
pub(super) fn base64_encoded(bytes: &[u8]) -> String {
    encoded(bytes, 3, 4, 6, BASE64)
}

/// Groups of bytes as groups of characters of so many bits, padded with `=`.
fn encoded(bytes: &[u8], group: usize, characters: usize, bits: usize, alphabet: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(group) * characters);
    for chunk in bytes.chunks(group) {
        let all = (0..group).fold(0_u64, |all, at| all << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let meaningful = (chunk.len() * 8).div_ceil(bits);
        for at in 0..characters {
            let index = (all >> ((characters - 1 - at) * bits)) as usize & (alphabet.len() - 1);
            out.push(if at < meaningful { char::from(alphabet[index]) } else { '=' });
        }
    }
    out
}

/// Reads standard base64; line breaks are skipped, anything else that does not belong is an error.
pub(super) fn base64_decoded(text: &[u8]) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut rest = text.iter().enumerate().filter(|(_, byte)| !matches!(byte, b'\n' | b'\r')).peekable();
    while rest.peek().is_some() {
        let (mut group, mut length) = (0_u32, 0);
        while length < 4 {
            let Some((at, byte)) = rest.next() else {
                // Without the rest of a group: Go names where the group began.
                return if length == 0 { Ok(out) } else { corrupt(text.len() - length) };
            };
            if let Some(value) = BASE64.iter().position(|known| known == byte) {
                group = group << 6 | u32::try_from(value).unwrap_or(0);
                length += 1;
                continue;
            }
            if *byte != b'=' || length < 2 {
                return corrupt(at);
            }
            if length == 2 {
                match rest.next() {
                    None => return corrupt(text.len()),
                    Some((_, b'=')) => {}
                    Some((at, _)) => return corrupt(at - 1),
                }
            }
            if let Some((at, _)) = rest.next() {
                return corrupt(at);
            }
            group <<= 6 * (4 - length);
            out.extend_from_slice(&group.to_be_bytes()[1..length]);
            return Ok(out);
        }
        out.extend_from_slice(&group.to_be_bytes()[1..]);
    }
    Ok(out)
}

fn base32_encode(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    context.charge_memory(text(arguments, 0).len() * 2)?;
    Ok(encoded(text(arguments, 0).as_bytes(), 5, 8, 5, BASE32).into())
}

fn base32_decode(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(match base32_decoded(text(arguments, 0).as_bytes()) {
        Ok(bytes) => Str::from(bytes).into(),
        Err(at) => format!("illegal base32 data at input byte {at}").into(),
    })
}

/// Reads base32 with padding; fails with the position that Go names, counted without line breaks.
fn base32_decoded(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut at = 0;
    while at < text.len() {
        let (mut group, mut digits) = (0_u64, 0);
        while digits < 8 {
            let Some(byte) = text.get(at) else { return Err(text.len() - digits) };
            at += 1;
            if *byte == b'=' && digits >= 2 && text.len() - at < 8 {
                check_padding(&text, at, digits)?;
                group <<= 5 * (8 - digits);
                out.extend_from_slice(&group.to_be_bytes()[3..3 + digits * 5 / 8]);
                return Ok(out);
            }
            let value = BASE32.iter().position(|known| known == byte).ok_or(at - 1)?;
            group = group << 5 | value as u64;
            digits += 1;
        }
        out.extend_from_slice(&group.to_be_bytes()[3..]);
    }
    Ok(out)
}

/// Whether the padding that begins before `at`, after so many digits of a group, is as it must be.
fn check_padding(text: &[u8], at: usize, digits: usize) -> Result<(), usize> {
    let rest = &text[at..];
    if rest.len() + digits < 7 {
        return Err(text.len());
    }
    if let Some(wrong) = rest.iter().take(7 - digits).position(|byte| *byte != b'=') {
        return Err((at + wrong).saturating_sub(1));
    }
    if matches!(digits, 3 | 6) { Err(at - 1) } else { Ok(()) }
}
