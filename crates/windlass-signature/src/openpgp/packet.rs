//! Packets and what they are made of (RFC 9580, sections 3 to 5).

use crate::SignatureError;

/// Reads from the front of some bytes.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    /// A number of so many bytes, at most four.
    pub(super) fn number(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A multiprecision integer.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        let bits = self.number(2)? as usize;
        self.take(bits.div_ceil(8))
    }

    /// A length as newer packets and subpackets have it; `None` for a part of a body, too.
    fn length(&mut self, is_subpacket: bool) -> Option<usize> {
        let first = usize::from(self.byte()?);
        match first {
            0..=191 => Some(first),
            255 => Some(self.number(4)? as usize),
            224..=254 if !is_subpacket => None,
            _ => Some(((first - 192) << 8) + usize::from(self.byte()?) + 192),
        }
    }

    /// The next subpacket: its kind, whether it must be understood, and its content.
    pub(super) fn subpacket(&mut self) -> Option<(u8, bool, &'a [u8])> {
        let length = self.length(true)?;
        let (kind, content) = self.take(length)?.split_first()?;
        Some((kind & 0x7f, kind & 0x80 != 0, content))
    }
}

/// A packet.
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// The packets of a stream.
pub(super) fn packets<'a>(bytes: &'a [u8], what: &'static str) -> Result<Vec<Packet<'a>>, SignatureError> {
    let mut reader = Reader(bytes);
    let mut packets = Vec::new();
    while !reader.is_empty() {
        let packet = packet(&mut reader);
        packets.push(packet.ok_or(SignatureError::Malformed { what, problem: "a packet is damaged" })?);
    }
    Ok(packets)
}

fn packet<'a>(reader: &mut Reader<'a>) -> Option<Packet<'a>> {
    let first = reader.byte()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (tag, length) = if first & 0x40 != 0 {
        (first & 0x3f, reader.length(false)?)
    } else {
        // A length that is not given ends with the stream, and no key needs that.
        let bytes = *[1, 2, 4].get(usize::from(first & 3))?;
        (first >> 2 & 0x0f, reader.number(bytes)? as usize)
    };
    Some(Packet { tag, body: reader.take(length)? })
}
