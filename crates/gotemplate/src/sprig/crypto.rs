//! Keys, certificates, passwords and encrypted texts. All chance comes from the execution's world.

mod certificates;
mod cipher;
mod der;
mod keys;
mod montgomery;
mod passwords;
mod pem;
mod primes;
mod x509;

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::function::{Context, Entry};

pub(super) const FAMILIES: &[&[Entry]] =
    &[certificates::FUNCTIONS, cipher::FUNCTIONS, keys::FUNCTIONS, passwords::FUNCTIONS];

/// The world's chance, as the libraries for keys ask for it.
struct Chance<'a, 'c>(&'a mut Context<'c>);

impl TryRng for Chance<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.random(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.random(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.random(bytes);
        Ok(())
    }
}

/// Whether chance is good enough for keys is the caller's to decide, who brings the world.
impl TryCryptoRng for Chance<'_, '_> {}
