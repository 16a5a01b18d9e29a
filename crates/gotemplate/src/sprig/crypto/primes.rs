//! Primes by chance, and the parameters of DSA.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::error::LimitExceeded;
use crate::function::Context;

use super::montgomery::Modulus;

/// How many odd candidates after a number are tried before another number is drawn.
const WINDOW: usize = 1 << 14;

/// Rounds of the test of Miller and Rabin for a number of so many bits, beside that with base two: a number that is
/// none and was drawn at random passes with a chance below 2^-100 (Damgård, Landrock and Pomerance 1993; Handbook of
/// Applied Cryptography, table 4.4, has three rounds for 2^-80 and 1,024 bits).
const fn rounds(bits: u64) -> u32 {
    if bits >= 1_024 { 5 } else { 20 }
}

/// What one test costs, in steps: about a millisecond.
const STEPS_PER_TEST: u64 = 2_000;

/// Primes below this are divided by before anything else. With twice as many, dividing takes longer than the tests
/// that it saves.
const SMALL_LIMIT: usize = 1 << 16;

/// The odd primes below [`SMALL_LIMIT`]: most candidates are multiples of one.
static SMALL: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut is_composite = vec![false; SMALL_LIMIT];
    let mut primes = Vec::new();
    for number in (3..SMALL_LIMIT).step_by(2) {
        if is_composite[number] {
            continue;
        }
        primes.extend(u32::try_from(number));
        for multiple in (number * number..SMALL_LIMIT).step_by(2 * number) {
            is_composite[multiple] = true;
        }
    }
    primes
});

/// The remainders of a number on division by the small primes.
fn remainders(number: &BigUint) -> impl Iterator<Item = (u32, u32)> {
    let digits = number.to_u32_digits();
    // The product of two small primes fits 32 bits, and one long division serves for both.
    SMALL.chunks(2).flat_map(move |primes| {
        let product: u64 = primes.iter().map(|prime| u64::from(*prime)).product();
        let remainder =
            digits.iter().rev().fold(0, |remainder, digit| (remainder << 32 | u64::from(*digit)) % product);
        primes.iter().map(move |prime| (*prime, (remainder % u64::from(*prime)) as u32))
    })
}

/// A number of exactly so many bits, by chance; its two highest bits are set.
fn number(context: &mut Context<'_>, bits: u64) -> BigUint {
    let mut bytes = vec![0; usize::try_from(bits.div_ceil(8)).unwrap_or(0)];
    context.random(&mut bytes);
    let mut drawn = BigUint::from_bytes_be(&bytes) >> (8 * bytes.len() as u64 - bits);
    drawn.set_bit(bits - 1, true);
    drawn.set_bit(bits - 2, true);
    drawn
}

/// A number below a bound and above one, by chance.
pub(super) fn below(context: &mut Context<'_>, bound: &BigUint) -> BigUint {
    // Eight more bytes make the numbers as likely as each other but for one in 2^64.
    let mut bytes = vec![0; usize::try_from(bound.bits().div_ceil(8)).unwrap_or(0) + 8];
    context.random(&mut bytes);
    BigUint::from_bytes_be(&bytes) % (bound - 2_u32) + 2_u32
}

/// A prime of exactly so many bits, for which `suits` holds.
pub(super) fn prime(
    context: &mut Context<'_>,
    bits: u64,
    suits: impl Fn(&BigUint) -> bool,
) -> Result<BigUint, LimitExceeded> {
    loop {
        let mut start = number(context, bits);
        start.set_bit(0, true);
        // Whether the start and so many steps of two have a small factor.
        let mut is_multiple = vec![false; WINDOW];
        for (prime, remainder) in remainders(&start) {
            // The first step after which the prime divides: half of what is missing to an odd multiple of it.
            let missing = (prime - remainder) % prime;
            let first = if missing % 2 == 0 { missing / 2 } else { (missing + prime) / 2 };
            for step in (first as usize..WINDOW).step_by(prime as usize) {
                is_multiple[step] = true;
            }
        }
        for (step, _) in is_multiple.iter().enumerate().filter(|(_, is_multiple)| !**is_multiple) {
            let candidate = &start + 2 * step;
            if candidate.bits() == bits && suits(&candidate) && is_prime(context, &candidate)? {
                return Ok(candidate);
            }
        }
    }
}

/// Whether an odd number is almost certainly prime.
fn is_prime(context: &mut Context<'_>, candidate: &BigUint) -> Result<bool, LimitExceeded> {
    match candidate.bits().div_ceil(64) {
        4 => passes::<4>(context, candidate),
        16 => passes::<16>(context, candidate),
        _ => passes::<32>(context, candidate),
    }
}

/// The test of Miller and Rabin.
fn passes<const N: usize>(context: &mut Context<'_>, candidate: &BigUint) -> Result<bool, LimitExceeded> {
    let Some(modulus) = Modulus::<N>::new(candidate) else { return Ok(false) };
    let (one, minus_one) = (modulus.one(), modulus.minus_one());
    let before = candidate - 1_u32;
    let twos = before.trailing_zeros().unwrap_or(0);
    let odd = &before >> twos;
    for round in 0..=rounds(candidate.bits()) {
        context.charge(STEPS_PER_TEST)?;
        let mut power = if round == 0 {
            // Two finds nearly every number that is none, and is fast.
            modulus.power_of_two(&odd)
        } else {
            let Some(base) = modulus.residue(&below(context, &before)) else { return Ok(false) };
            modulus.power(&base, &odd)
        };
        let mut is_witness = power != one;
        for _ in 0..twos {
            if power == minus_one {
                is_witness = false;
                break;
            }
            power = modulus.multiply(&power, &power);
        }
        if is_witness {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The parameters of DSA: a prime, a prime that divides it less one, and a number of that order.
pub(super) struct DsaParameters {
    pub(super) prime: BigUint,
    pub(super) divisor: BigUint,
    pub(super) generator: BigUint,
}

/// Parameters of 2048 and 256 bits.
pub(super) fn dsa_parameters(context: &mut Context<'_>) -> Result<DsaParameters, LimitExceeded> {
    let divisor = prime(context, 256, |_| true)?;
    let step = &divisor * 2_u32;
    loop {
        let drawn = number(context, 2_048);
        let candidate = &drawn - &drawn % &step + 1_u32;
        let has_small_factor = || remainders(&candidate).any(|(_, remainder)| remainder == 0);
        if candidate.bits() != 2_048 || has_small_factor() || !is_prime(context, &candidate)? {
            continue;
        }
        let exponent = (&candidate - 1_u32) / &divisor;
        let generators = (2_u32..).map(|base| BigUint::from(base).modpow(&exponent, &candidate));
        let generator = generators.into_iter().find(|power| *power != BigUint::from(1_u32));
        if let Some(generator) = generator {
            return Ok(DsaParameters { prime: candidate, divisor, generator });
        }
    }
}
