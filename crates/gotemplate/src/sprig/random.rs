//! Texts, numbers and identifiers by chance, which comes from the execution's world.

use crate::function::{Context, Entry, Signature};
use crate::value::{Str, Value};

use super::arguments::{Answer, INT, STRING, int, text};
use super::encoding::base64_encoded;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("randAlphaNum", Signature::fixed(&[INT]), |context, arguments| {
        characters(context, arguments, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }),
    Entry::new("randAlpha", Signature::fixed(&[INT]), |context, arguments| {
        characters(context, arguments, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }),
    Entry::new("randNumeric", Signature::fixed(&[INT]), |context, arguments| {
        characters(context, arguments, b"0123456789")
    }),
    Entry::new("randAscii", Signature::fixed(&[INT]), |context, arguments| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        characters(context, arguments, &printable)
    }),
    Entry::new("randBytes", Signature::fixed(&[INT]), random_bytes),
    Entry::new("randInt", Signature::fixed(&[INT, INT]), random_int),
    Entry::new("shuffle", Signature::fixed(&[STRING]), shuffle),
    Entry::new("uuidv4", Signature::fixed(&[]), uuid),
    // Helm looks no name up unless it is told to.
    Entry::new("getHostByName", Signature::fixed(&[STRING]), |_, _| Ok(Value::EMPTY)),
];

/// A number below `bound`, each as likely as any other.
pub(super) fn below(context: &mut Context<'_>, bound: u64) -> u64 {
    // Numbers from an incomplete last round would be more likely than others.
    let limit = u64::MAX - u64::MAX % bound.max(1);
    loop {
        let mut bytes = [0; 8];
        context.random(&mut bytes);
        let drawn = u64::from_le_bytes(bytes);
        if drawn < limit {
            return drawn % bound.max(1);
        }
    }
}

/// So many characters of a set; none if the count is negative.
fn characters(context: &mut Context<'_>, arguments: &[Value], set: &[u8]) -> Answer {
    let Ok(count) = usize::try_from(int(arguments, 0)) else { return Ok(Value::EMPTY) };
    context.charge(count as u64)?;
    context.charge_memory(count)?;
    let mut drawn = Vec::with_capacity(count);
    for _ in 0..count {
        let position = below(context, set.len() as u64);
        drawn.extend(usize::try_from(position).ok().and_then(|position| set.get(position)));
    }
    Ok(Str::from(drawn).into())
}

fn random_bytes(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Ok(count) = usize::try_from(int(arguments, 0)) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    context.charge(count as u64)?;
    context.charge_memory(count.saturating_mul(3))?;
    let mut bytes = vec![0; count];
    context.random(&mut bytes);
    Ok(base64_encoded(&bytes).into())
}

fn random_int(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (least, bound) = (int(arguments, 0), int(arguments, 1));
    let range = bound.wrapping_sub(least);
    if range <= 0 {
        return Err("invalid argument to Intn".into());
    }
    Ok(Value::Int(least.wrapping_add(below(context, range.cast_unsigned()).cast_signed())))
}

fn shuffle(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut characters: Vec<char> = text(arguments, 0).lossy().chars().collect();
    context.charge(characters.len() as u64)?;
    for last in (1..characters.len()).rev() {
        let other = usize::try_from(below(context, last as u64 + 1)).unwrap_or(0);
        characters.swap(last, other);
    }
    Ok(characters.into_iter().collect::<String>().into())
}

fn uuid(context: &mut Context<'_>, _: &[Value]) -> Answer {
    let mut bytes = [0; 16];
    context.random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let group = |shift: u32, digits: u32| number >> shift & ((1 << (4 * digits)) - 1);
    let printed = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        group(96, 8),
        group(80, 4),
        group(64, 4),
        group(48, 4),
        group(0, 12)
    );
    Ok(printed.into())
}
