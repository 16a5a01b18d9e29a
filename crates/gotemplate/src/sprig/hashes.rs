//! Digests.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::function::{Context, Entry, Signature};
use crate::value::Value;

use super::arguments::{Answer, STRING, text};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("sha1sum", Signature::fixed(&[STRING]), digest::<Sha1>),
    Entry::new("sha256sum", Signature::fixed(&[STRING]), digest::<Sha256>),
    Entry::new("sha512sum", Signature::fixed(&[STRING]), digest::<Sha512>),
    Entry::new("adler32sum", Signature::fixed(&[STRING]), adler32),
];

/// How many bytes are hashed at the price of one step.
const BYTES_PER_STEP: u64 = 32;

fn digest<D: Digest>(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let bytes = text(arguments, 0).as_bytes();
    context.charge(bytes.len() as u64 / BYTES_PER_STEP)?;
    Ok(hexadecimal(&D::digest(bytes)).into())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits =
        bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn adler32(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    const MODULUS: u32 = 65_521;
    let bytes = text(arguments, 0).as_bytes();
    context.charge(bytes.len() as u64 / BYTES_PER_STEP)?;
    let (mut sum, mut sum_of_sums) = (1_u32, 0_u32);
    for byte in bytes {
        sum = (sum + u32::from(*byte)) % MODULUS;
        sum_of_sums = (sum_of_sums + sum) % MODULUS;
    }
    Ok((sum_of_sums << 16 | sum).to_string().into())
}
