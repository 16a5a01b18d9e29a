//! Chances that a seed decides.

/// Numbers that look random and follow from a seed: the same on every machine and in every version.
///
/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// What follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// Whether something of this probability, between 0 and 1, happens now.
    pub fn chance(&mut self, probability: f64) -> bool {
        // The upper half is enough, and every such number is a float.
        let drawn = u32::try_from(self.number() >> 32).expect("half of the bits");
        f64::from(drawn) < probability * 4_294_967_296.0
    }
}
