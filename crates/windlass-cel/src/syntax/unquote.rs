//! What a string literal stands for.

/// The bytes of a string or bytes literal without its `b`, or why it has none.
pub(super) fn unquote(literal: &str, is_bytes: bool) -> Result<Vec<u8>, &'static str> {
    const CANNOT: &str = "unable to unescape string";
    let normal = literal.replace("\r\n", "\n").replace('\r', "\n");
    let (is_raw, quoted) = match normal.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, normal.as_str()),
    };
    let inner = ["'''", "\"\"\"", "'", "\""]
        .iter()
        .find_map(|quote| {
            let enough = quoted.len() >= 2 * quote.len();
            enough.then(|| quoted.strip_prefix(quote)?.strip_suffix(quote)).flatten()
        })
        .ok_or(CANNOT)?;
    if is_raw || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    let push =
        |out: &mut Vec<u8>, char: char| out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(char) = rest.next() {
        if char != '\\' {
            push(&mut out, char);
            continue;
        }
        let kind = rest.next().ok_or("unable to unescape string, found '\\' as last character")?;
        match kind {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' | '\'' | '"' | '`' | '?' => push(&mut out, kind),
            'x' | 'X' | 'u' | 'U' => {
                let count = match kind {
                    'x' | 'X' => 2,
                    _ if is_bytes => return Err(CANNOT),
                    'u' => 4,
                    _ => 8,
                };
                let code = number(&mut rest, count, 16).ok_or(CANNOT)?;
                match u8::try_from(code) {
                    Ok(byte) if is_bytes => out.push(byte),
                    _ => push(&mut out, char::from_u32(code).ok_or("invalid unicode code point")?),
                }
            }
            '0'..='3' => {
                let high = kind.to_digit(8).unwrap_or_default();
                let low = number(&mut rest, 2, 8).ok_or("unable to unescape octal sequence in string")?;
                let code = high * 64 + low;
                match u8::try_from(code) {
                    Ok(byte) if is_bytes => out.push(byte),
                    _ => push(&mut out, char::from_u32(code).ok_or("invalid unicode code point")?),
                }
            }
            _ => return Err(CANNOT),
        }
    }
    Ok(out)
}

fn number(rest: &mut std::str::Chars<'_>, count: usize, base: u32) -> Option<u32> {
    let mut number: u32 = 0;
    for _ in 0..count {
        number = number.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?)?;
    }
    Some(number)
}
