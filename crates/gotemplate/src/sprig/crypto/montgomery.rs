//! Powers modulo large odd numbers, as fast as the search for primes needs them.
//!
//! The numbers have a fixed count of 64-bit limbs, least first, so that the loops have a known length. Times depend
//! on the values: what is tested here is drawn by chance and, unless it is prime, thrown away.

use num_bigint::BigUint;

/// An odd number that is calculated modulo of, with what the method of Montgomery needs to know of it.
pub(super) struct Modulus<const N: usize> {
    limbs: [u64; N],
    /// What the lowest limb has to be multiplied by to become -1.
    inverse: u64,
    /// One, in the form of Montgomery: 2^(64 N) modulo the number.
    one: [u64; N],
    /// The square of that, which brings a number into the form.
    square: [u64; N],
}

/// A number in the form of Montgomery: multiplied by 2^(64 N).
pub(super) type Residue<const N: usize> = [u64; N];

impl<const N: usize> Modulus<N> {
    /// `None` for an even number, and one that does not have exactly the limbs.
    pub(super) fn new(modulus: &BigUint) -> Option<Self> {
        let limbs = limbs(modulus)?;
        if limbs[0] & 1 == 0 || limbs[N - 1] == 0 {
            return None;
        }
        // Each step of Newton's method doubles the bits that are right, of which an odd number has three.
        let mut inverse = limbs[0];
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(limbs[0].wrapping_mul(inverse)));
        }
        let shifted = (BigUint::from(1_u32) << (64 * N)) % modulus;
        let square = self::limbs(&(&shifted * &shifted % modulus))?;
        Some(Self { limbs, inverse: inverse.wrapping_neg(), one: self::limbs(&shifted)?, square })
    }

    /// One.
    pub(super) fn one(&self) -> Residue<N> {
        self.one
    }

    /// The number less one, which is -1.
    pub(super) fn minus_one(&self) -> Residue<N> {
        let mut result = self.limbs;
        subtract(&mut result, &self.one);
        result
    }

    /// A number below the modulus in the form that is calculated with.
    pub(super) fn residue(&self, number: &BigUint) -> Option<Residue<N>> {
        Some(self.multiply(&limbs(number)?, &self.square))
    }

    /// Two to the power of a number.
    pub(super) fn power_of_two(&self, exponent: &BigUint) -> Residue<N> {
        let mut result = self.one;
        for bit in (0..exponent.bits()).rev() {
            result = self.squared(&result);
            if exponent.bit(bit) {
                self.double(&mut result);
            }
        }
        result
    }

    /// A base to the power of a number.
    pub(super) fn power(&self, base: &Residue<N>, exponent: &BigUint) -> Residue<N> {
        const WINDOW: usize = 4;
        let mut powers = [self.one; 1 << WINDOW];
        for idx in 1..powers.len() {
            powers[idx] = self.multiply(&powers[idx - 1], base);
        }
        let mut result = self.one;
        for digit in exponent.to_u64_digits().iter().rev() {
            for shift in (0..u64::BITS).step_by(WINDOW).rev() {
                for _ in 0..WINDOW {
                    result = self.squared(&result);
                }
                result = self.multiply(&result, &powers[usize::from((digit >> shift) as u8 & 15)]);
            }
        }
        result
    }

    /// The product of two.
    pub(super) fn multiply(&self, one: &Residue<N>, other: &Residue<N>) -> Residue<N> {
        let mut product = [[0; N]; 2];
        let digits = product.as_flattened_mut();
        for (idx, digit) in other.iter().enumerate() {
            digits[idx + N] = add_multiple(&mut digits[idx..idx + N], one, *digit);
        }
        self.reduced(product)
    }

    /// The square, which takes little more than half of the multiplications of a product.
    fn squared(&self, number: &Residue<N>) -> Residue<N> {
        let mut product = [[0; N]; 2];
        let digits = product.as_flattened_mut();
        for (idx, digit) in number.iter().enumerate().take(N - 1) {
            digits[idx + N] = add_multiple(&mut digits[2 * idx + 1..idx + N], &number[idx + 1..], *digit);
        }
        let (mut above, mut carry) = (0, 0);
        for (pair, digit) in digits.chunks_exact_mut(2).zip(number) {
            let twice = [pair[0] << 1 | above, pair[1] << 1 | pair[0] >> 63];
            above = pair[1] >> 63;
            (pair[0], carry) = multiply_add(*digit, *digit, twice[0], carry);
            let (sum, overflow) = twice[1].overflowing_add(carry);
            (pair[1], carry) = (sum, u64::from(overflow));
        }
        self.reduced(product)
    }

    /// A product divided by 2^(64 N).
    fn reduced(&self, mut product: [[u64; N]; 2]) -> Residue<N> {
        let digits = product.as_flattened_mut();
        let mut overflow = false;
        for idx in 0..N {
            let factor = digits[idx].wrapping_mul(self.inverse);
            let carry = add_multiple(&mut digits[idx..idx + N], &self.limbs, factor);
            let (sum, first) = digits[idx + N].overflowing_add(carry);
            let (sum, second) = sum.overflowing_add(u64::from(overflow));
            digits[idx + N] = sum;
            overflow = first || second;
        }
        let mut result = product[1];
        self.subtract_once(&mut result, overflow);
        result
    }

    fn double(&self, number: &mut Residue<N>) {
        let mut above = 0;
        for limb in number.iter_mut() {
            (*limb, above) = (*limb << 1 | above, *limb >> 63);
        }
        self.subtract_once(number, above != 0);
    }

    /// Brings a number below twice the modulus below it; `overflow` says that it has a limb more, of one.
    fn subtract_once(&self, number: &mut Residue<N>, overflow: bool) {
        if overflow || number.iter().rev().ge(self.limbs.iter().rev()) {
            subtract(number, &self.limbs);
        }
    }
}

/// The limbs of a number; `None` if it has more.
fn limbs<const N: usize>(number: &BigUint) -> Option<[u64; N]> {
    let mut limbs = [0; N];
    let digits = number.to_u64_digits();
    limbs.get_mut(..digits.len())?.copy_from_slice(&digits);
    Some(limbs)
}

/// Adds the product of `factor` and another number, and returns what does not fit.
#[inline]
fn add_multiple(sum: &mut [u64], other: &[u64], factor: u64) -> u64 {
    let mut carry = 0;
    for (sum, limb) in sum.iter_mut().zip(other) {
        (*sum, carry) = multiply_add(*limb, factor, *sum, carry);
    }
    carry
}

/// `one * other + sum + carry`, which always fits two limbs: the lower and the higher.
#[inline]
fn multiply_add(one: u64, other: u64, sum: u64, carry: u64) -> (u64, u64) {
    let wide = u128::from(one) * u128::from(other) + u128::from(sum) + u128::from(carry);
    (wide as u64, (wide >> 64) as u64)
}

/// Subtracts, modulo 2^(64 N).
fn subtract<const N: usize>(from: &mut [u64; N], other: &[u64; N]) {
    let mut borrow = false;
    for (limb, other) in from.iter_mut().zip(other) {
        let (difference, first) = limb.overflowing_sub(*other);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *limb = difference;
        borrow = first || second;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An odd number with the highest limb as given, for the edges of carrying.
    fn odd(mut digits: [u64; 4]) -> BigUint {
        digits[0] |= 1;
        digits[3] |= 1;
        number(digits)
    }

    fn number(digits: [u64; 4]) -> BigUint {
        BigUint::from_bytes_le(&digits.map(u64::to_le_bytes).concat())
    }

    fn digit() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), Just(1 << 63)]
    }

    proptest! {
        #[test]
        fn powers_are_those_of_another_library(
            modulus in [digit(), digit(), digit(), digit()],
            base in [digit(), digit(), digit(), digit()],
            exponent in [digit(), digit(), digit(), digit()],
        ) {
            let modulus = odd(modulus);
            let exponent = number(exponent);
            let base = number(base) % &modulus;
            let fast = Modulus::<4>::new(&modulus).unwrap();
            let residue = |number: &BigUint| fast.residue(number).unwrap();
            let two = BigUint::from(2_u32);
            prop_assert_eq!(fast.power(&residue(&base), &exponent), residue(&base.modpow(&exponent, &modulus)));
            prop_assert_eq!(fast.power_of_two(&exponent), residue(&two.modpow(&exponent, &modulus)));
            prop_assert_eq!(fast.one(), residue(&BigUint::from(1_u32)));
            prop_assert_eq!(fast.minus_one(), residue(&(&modulus - 1_u32)));
        }
    }

    #[test]
    fn other_numbers_are_refused() {
        assert!(Modulus::<4>::new(&BigUint::from(4_u32)).is_none());
        assert!(Modulus::<4>::new(&BigUint::from(5_u32)).is_none());
        assert!(Modulus::<1>::new(&BigUint::from(5_u32)).is_some());
        assert!(Modulus::<1>::new(&(BigUint::from(1_u32) << 64)).is_none());
    }
}
