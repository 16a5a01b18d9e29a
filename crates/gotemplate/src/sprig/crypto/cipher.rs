//! Texts encrypted with AES-256 in CBC mode, with the first bytes of a password as the key.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use crate::function::{Context, Entry, Signature};
use crate::value::{Str, Value};

use super::super::arguments::{Answer, STRING, text};
use super::super::encoding::{base64_decoded, base64_encoded};

pub(in super::super) const FUNCTIONS: &[Entry] = &[
    Entry::new("encryptAES", Signature::fixed(&[STRING, STRING]), encrypt),
    Entry::new("decryptAES", Signature::fixed(&[STRING, STRING]), decrypt),
];

const BLOCK: usize = 16;

/// The key: the password cut or filled with zeros to 32 bytes. It is no key derivation; it is what sprig does.
fn cipher(password: &Str) -> Aes256 {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password.as_bytes()) {
        *slot = *byte;
    }
    Aes256::new(&Array::from(key))
}

fn encrypt(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let plain = text(arguments, 1).as_bytes();
    if plain.is_empty() {
        return Ok(Value::EMPTY);
    }
    context.charge(plain.len() as u64)?;
    context.charge_memory(plain.len().saturating_mul(3))?;
    let cipher = cipher(text(arguments, 0));
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    padded.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or(0), padding));
    let mut previous = [0; BLOCK];
    context.random(&mut previous);
    let mut out = previous.to_vec();
    for chunk in padded.as_chunks::<BLOCK>().0 {
        let mut block = Array::from(*chunk);
        for (byte, mask) in block.iter_mut().zip(previous) {
            *byte ^= mask;
        }
        cipher.encrypt_block(&mut block);
        previous = block.into();
        out.extend_from_slice(&previous);
    }
    Ok(base64_encoded(&out).into())
}

fn decrypt(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let encoded = text(arguments, 1).as_bytes();
    if encoded.is_empty() {
        return Ok(Value::EMPTY);
    }
    context.charge(encoded.len() as u64)?;
    let encrypted = base64_decoded(encoded)?;
    let Some((first, rest)) = encrypted.split_first_chunk::<BLOCK>() else {
        // Go slices beyond the capacity of its buffer, which is what base64 says the text may hold at most.
        let capacity = encoded.len() / 4 * 3;
        return Err(
            format!("runtime error: slice bounds out of range [:{BLOCK}] with capacity {capacity}").into()
        );
    };
    if rest.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = cipher(text(arguments, 0));
    let mut previous = *first;
    let mut out = Vec::with_capacity(rest.len());
    for chunk in rest.as_chunks::<BLOCK>().0 {
        let mut block = Array::from(*chunk);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(previous).map(|(byte, mask)| byte ^ mask));
        previous = *chunk;
    }
    // The last byte says how many to cut off; nothing checks that they are a padding.
    let Some(padding) = out.last().map(|byte| usize::from(*byte)) else {
        return Err("runtime error: index out of range [-1]".into());
    };
    match out.len().checked_sub(padding) {
        Some(length) => Ok(Str::from_bytes(&out[..length]).into()),
        None => {
            let length = i64::try_from(out.len()).unwrap_or(0) - i64::try_from(padding).unwrap_or(0);
            Err(format!("runtime error: slice bounds out of range [:{length}]").into())
        }
    }
}
