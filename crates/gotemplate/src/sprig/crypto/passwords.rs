//! Passwords: hashed with bcrypt, or derived from a master password.

use blowfish::Blowfish;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Str, Type, Value, types};

use super::super::arguments::{Answer, STRING, any, text};

pub(in super::super) const FUNCTIONS: &[Entry] = &[
    Entry::new("bcrypt", Signature::fixed(&[STRING]), |context, arguments| {
        Ok(Str::from(hashed(context, text(arguments, 0))?).into())
    }),
    Entry::new("htpasswd", Signature::fixed(&[STRING, STRING]), htpasswd),
    Entry::new("derivePassword", Signature::fixed(&[UINT32, STRING, STRING, STRING, STRING]), derive),
];

const UINT32: &Type = &types::UINT32;

/// Go's default: two to this many rounds.
const COST: u32 = 10;
/// What bcrypt reads of a password; a longer one is refused.
const MAX_PASSWORD: usize = 72;
/// What a hash or a derivation costs, in steps: either takes about a tenth of a second.
const STEPS: u64 = 1_000_000;

fn hashed(context: &mut Context<'_>, password: &Str) -> Result<String, FunctionError> {
    if password.len() > MAX_PASSWORD {
        let problem = "bcrypt: password length exceeds 72 bytes";
        return Ok(format!("failed to encrypt string with bcrypt: {problem}"));
    }
    context.charge(STEPS)?;
    let mut salt = [0; 16];
    context.random(&mut salt);
    Ok(bcrypt(password.as_bytes(), salt))
}

/// The hash with its version, cost and salt before it.
fn bcrypt(password: &[u8], salt: [u8; 16]) -> String {
    let key = [password, &[0]].concat();
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1_u32 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut hash = Vec::with_capacity(24);
    for block in b"OrpheanBeholderScryDoubt".as_chunks::<8>().0 {
        let [high, low] = [&block[..4], &block[4..]]
            .map(|half| half.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)));
        let mut words = [high, low];
        for _ in 0..64 {
            words = state.bc_encrypt(words);
        }
        hash.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
    // The last byte is left out, as it always was.
    format!("$2a${COST:02}${}{}", radix64(&salt), radix64(&hash[..23]))
}

/// Base64 with bcrypt's own alphabet, without padding.
fn radix64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let all = (0..3).fold(0_u32, |all, at| all << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(all >> (18 - 6 * at)) as usize & 63]));
        }
    }
    out
}

fn htpasswd(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let user = text(arguments, 0);
    if user.as_bytes().contains(&b':') {
        return Ok(Str::from([b"invalid username: ", user.as_bytes()].concat()).into());
    }
    let hash = hashed(context, text(arguments, 1))?;
    Ok(Str::from([user.as_bytes(), b":", hash.as_bytes()].concat()).into())
}

/// The site password of the master password algorithm.
fn derive(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let counter = u32::try_from(any(arguments, 0).as_uint().unwrap_or(0)).unwrap_or(0);
    let kind = text(arguments, 1);
    let [password, user, site] = [2, 3, 4].map(|at| text(arguments, at).as_bytes());
    let Some(templates) = templates(&kind.lossy()) else {
        return Ok(Str::from([b"cannot find password template ", kind.as_bytes()].concat()).into());
    };
    context.charge(STEPS)?;
    let salt = [SCOPE, &length(user), user].concat();
    let mut key = [0; 64];
    scrypt::Params::new(15, 8, 2)
        .map_err(|error| error.to_string())
        .and_then(|parameters| {
            scrypt::scrypt(password, &salt, &parameters, &mut key).map_err(|error| error.to_string())
        })
        .map_err(|error| format!("failed to derive password: {error}"))?;
    let message = [SCOPE, &length(site), site, &counter.to_be_bytes()].concat();
    let mut code = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    code.update(&message);
    let seed = code.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let characters = template.bytes().zip(&seed[1..]).map(|(class, byte)| {
        let characters = class_characters(class).as_bytes();
        char::from(characters[usize::from(*byte) % characters.len()])
    });
    Ok(characters.collect::<String>().into())
}

/// What the algorithm calls its scope.
const SCOPE: &[u8] = b"com.lyndir.masterpassword";

fn length(text: &[u8]) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// The forms of passwords of a kind; each letter stands for a class of characters.
fn templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn class_characters(class: u8) -> &'static str {
    match class {
        b'V' => "AEIOU",
        b'C' => "BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => "aeiou",
        b'c' => "bcdfghjklmnpqrstvwxyz",
        b'A' => "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => "0123456789",
        b'o' => "@&%?,=[]_:-+*$#!'^~;()/.",
        _ => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}
