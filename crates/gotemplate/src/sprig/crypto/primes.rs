//! Primes by chance, and the parameters of DSA.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::error::LimitExceeded;
use crate::function::Context;

/// How many odd candidates after a number are tried before another number is drawn.
const WINDOW: u32 = 1 << 14;

/// Rounds of the test of Miller and Rabin: a number that is none passes with a chance below 2^-80, and of those
/// drawn at random far less often (Handbook of Applied Cryptography, 4.48).
const ROUNDS: u32 = 20;

/// What one test costs, in steps: about a millisecond.
const STEPS_PER_TEST: u64 = 2_000;

/// The odd primes below 2^14: most candidates are multiples of one.
static SMALL: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let limit = 1 << 14;
    let mut is_composite = vec![false; limit];
    let mut primes = Vec::new();
    for number in (3..limit).step_by(2) {
        if is_composite[number] {
            continue;
        }
        primes.extend(u32::try_from(number));
        for multiple in (number * number..limit).step_by(2 * number) {
            is_composite[multiple] = true;
        }
    }
    primes
});

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
        let remainders: Vec<u32> = SMALL.iter().map(|prime| remainder(&start, *prime)).collect();
        for step in 0..WINDOW {
            let offset = 2 * step;
            let is_multiple =
                SMALL.iter().zip(&remainders).any(|(prime, remainder)| (remainder + offset) % prime == 0);
            if is_multiple {
                continue;
            }
            let candidate = &start + offset;
            if candidate.bits() == bits && suits(&candidate) && is_prime(context, &candidate)? {
                return Ok(candidate);
            }
        }
    }
}

fn remainder(number: &BigUint, prime: u32) -> u32 {
    u32::try_from(number % prime).unwrap_or(0)
}

/// Whether an odd number is almost certainly prime.
fn is_prime(context: &mut Context<'_>, candidate: &BigUint) -> Result<bool, LimitExceeded> {
    let one = BigUint::from(1_u32);
    let before = candidate - &one;
    let twos = before.trailing_zeros().unwrap_or(0);
    let odd = &before >> twos;
    for round in 0..ROUNDS {
        context.charge(STEPS_PER_TEST)?;
        // Two finds nearly every number that is none, and is fast.
        let base = if round == 0 { BigUint::from(2_u32) } else { below(context, &before) };
        let mut power = base.modpow(&odd, candidate);
        if power == one || power == before {
            continue;
        }
        let mut is_witness = true;
        for _ in 1..twos {
            power = &power * &power % candidate;
            if power == before {
                is_witness = false;
                break;
            }
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
        let has_small_factor = || SMALL.iter().any(|small| remainder(&candidate, *small) == 0);
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
