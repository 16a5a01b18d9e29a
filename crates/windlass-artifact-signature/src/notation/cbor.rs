//! CBOR (RFC 8949), as much as envelopes need: read in one go, under limits, without streams.

/// How deep values may nest: an envelope has four levels.
const MAX_DEPTH: usize = 16;

/// Most values in one text: an envelope has some dozens.
const MAX_VALUES: usize = 10_000;

/// A value; its texts are those of the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cbor<'a> {
    Integer(i128),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Cbor<'a>>),
    /// No two have the same key.
    Map(Vec<(Cbor<'a>, Cbor<'a>)>),
    Tagged(u64, Box<Cbor<'a>>),
    /// Numbers with a point, booleans and the like, by their bytes: nothing here has a use for them.
    Other(u8, u64),
}

impl<'a> Cbor<'a> {
    /// Reads one value and nothing behind it; `None` for what is none, is written as a stream, or is over a limit.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { bytes, left: MAX_VALUES };
        let value = reader.value(0)?;
        reader.bytes.is_empty().then_some(value)
    }

    /// The member of a map.
    pub(super) fn get(&self, key: &Cbor<'_>) -> Option<&Cbor<'a>> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    /// How many values more are read.
    left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Cbor<'a>> {
        self.left = self.left.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let first = self.take(1)?[0];
        let (kind, short) = (first >> 5, first & 0x1f);
        let number = match short {
            0..24 => u64::from(short),
            24..28 => {
                let bytes = self.take(1 << (short - 24))?;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            // Streams, and what is not given away yet.
            _ => return None,
        };
        let length = usize::try_from(number).ok();
        Some(match kind {
            0 => Cbor::Integer(number.into()),
            1 => Cbor::Integer(-1 - i128::from(number)),
            2 => Cbor::Bytes(self.take(length?)?),
            3 => Cbor::Text(std::str::from_utf8(self.take(length?)?).ok()?),
            4 => {
                let items = (0..number).map(|_| self.value(depth + 1));
                Cbor::Array(items.collect::<Option<_>>()?)
            }
            5 => {
                let mut pairs: Vec<(Cbor<'a>, Cbor<'a>)> = Vec::new();
                for _ in 0..number {
                    let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return None;
                    }
                    pairs.push((key, value));
                }
                Cbor::Map(pairs)
            }
            6 => Cbor::Tagged(number, Box::new(self.value(depth + 1)?)),
            _ => Cbor::Other(short, number),
        })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }
}

/// Appends a string of bytes with the shortest head.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len() as u64;
    let big = length.to_be_bytes();
    match length {
        0..24 => out.push(0x40 | big[7]),
        24..0x100 => out.extend_from_slice(&[0x58, big[7]]),
        0x100..0x1_0000 => out.extend([0x59].iter().chain(&big[6..])),
        0x1_0000..0x1_0000_0000 => out.extend([0x5a].iter().chain(&big[4..])),
        _ => out.extend([0x5b].iter().chain(&big)),
    }
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 8949, appendix A.
        let read = |hex: &str| {
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            format!("{:?}", Cbor::parse(&bytes))
        };
        for (hex, value) in [
            ("00", "Some(Integer(0))"),
            ("1818", "Some(Integer(24))"),
            ("1bffffffffffffffff", "Some(Integer(18446744073709551615))"),
            ("3bffffffffffffffff", "Some(Integer(-18446744073709551616))"),
            ("3903e7", "Some(Integer(-1000))"),
            ("c11a514b67b0", "Some(Tagged(1, Integer(1363896240)))"),
            ("4401020304", "Some(Bytes([1, 2, 3, 4]))"),
            ("6449455446", "Some(Text(\"IETF\"))"),
            (
                "8301820203820405",
                "Some(Array([Integer(1), Array([Integer(2), Integer(3)]), Array([Integer(4), Integer(5)])]))",
            ),
            ("a201020304", "Some(Map([(Integer(1), Integer(2)), (Integer(3), Integer(4))]))"),
            ("f4", "Some(Other(20, 20))"),
            // A stream, a text that is cut, something behind, a key twice, a length without an end.
            ("5f42010243030405ff", "None"),
            ("6449455", "None"),
            ("0000", "None"),
            ("a201020103", "None"),
            ("9bffffffffffffffff00", "None"),
            ("5bffffffffffffffff00", "None"),
            ("62ff00", "None"),
            ("", "None"),
        ] {
            if hex.len() % 2 == 0 {
                assert_eq!(read(hex), value, "{hex}");
            }
        }
        assert_eq!(Cbor::parse(&[0x81; 100]), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cbor::parse(&bytes);
        }

        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let mut out = Vec::new();
            write_bytes(&mut out, &bytes);
            prop_assert_eq!(Cbor::parse(&out), Some(Cbor::Bytes(&bytes)));
        }
    }
}
