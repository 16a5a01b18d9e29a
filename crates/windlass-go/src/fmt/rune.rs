//! UTF-8 as Go decodes it: a byte that belongs to no character is U+FFFD, one byte wide.

/// The first character of `bytes` and its width; `(U+FFFD, 1)` for what is not UTF-8, and width 0 at the end.
#[must_use]
pub fn decode_rune(bytes: &[u8]) -> (char, usize) {
    let Some(first) = bytes.first() else { return (char::REPLACEMENT_CHARACTER, 0) };
    if first.is_ascii() {
        return (char::from(*first), 1);
    }
    let width = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    let text = bytes.get(..width).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match text.and_then(|text| text.chars().next()) {
        Some(char) => (char, width),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The last character of `bytes` and its width; `(U+FFFD, 1)` for what is not UTF-8, and width 0 at the end.
#[must_use]
pub fn decode_last_rune(bytes: &[u8]) -> (char, usize) {
    let Some(last) = bytes.last() else { return (char::REPLACEMENT_CHARACTER, 0) };
    if last.is_ascii() {
        return (char::from(*last), 1);
    }
    for width in 2..=4.min(bytes.len()) {
        let tail = &bytes[bytes.len() - width..];
        if tail[0] & 0xc0 != 0x80 {
            let (char, decoded) = decode_rune(tail);
            return if decoded == width { (char, width) } else { (char::REPLACEMENT_CHARACTER, 1) };
        }
    }
    (char::REPLACEMENT_CHARACTER, 1)
}

/// How many characters there are, each byte that is not UTF-8 being one.
#[must_use]
pub fn rune_count(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// Appends a character as UTF-8.
pub fn append_rune(to: &mut Vec<u8>, char: char) {
    to.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}
