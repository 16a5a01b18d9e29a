//! The dates that Go's YAML packages take for timestamps.

/// A date and time as `time.Parse` reads YAML's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Minutes east of Greenwich.
    offset: i32,
}

/// Reads what stands at the front of a text.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn take(&mut self, prefix: char) -> Option<()> {
        self.0 = self.0.strip_prefix(prefix)?;
        Some(())
    }

    fn digits(&self) -> usize {
        self.0.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// A number of at least `least` and at most `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self.digits().min(most);
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits.parse().ok()
    }
}

impl Timestamp {
    /// `2006-1-2`, `2006-1-2 15:4:5.9` or `2006-1-2T15:4:5.9Z07:00`; the year has four digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut cursor = Cursor(text);
        if cursor.digits() != 4 {
            return None;
        }
        let year = cursor.number(4, 4)?;
        cursor.take('-')?;
        let month = cursor.number(1, 2)?;
        cursor.take('-')?;
        let day = cursor.number(1, 2)?;
        let mut time = Self { year, month, day, hour: 0, minute: 0, second: 0, nanosecond: 0, offset: 0 };
        let zoned = match cursor.0.chars().next() {
            None => return time.checked(),
            Some(' ') => false,
            Some('T' | 't') => true,
            Some(_) => return None,
        };
        cursor.0 = &cursor.0[1..];
        // Where the layout has a space, Go lets through any number of them.
        if !zoned {
            cursor.0 = cursor.0.trim_start_matches(' ');
        }
        time.hour = cursor.number(1, 2)?;
        cursor.take(':')?;
        time.minute = cursor.number(1, 2)?;
        cursor.take(':')?;
        time.second = cursor.number(1, 2)?;
        if let Some(fraction) = cursor.0.strip_prefix(['.', ',']) {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if length > 0 {
                let digits: String = fraction[..length].chars().chain("000000000".chars()).take(9).collect();
                time.nanosecond = digits.parse().ok()?;
                cursor.0 = &fraction[length..];
            }
        }
        if zoned {
            time.offset = match cursor.0.chars().next()? {
                'Z' => {
                    cursor.0 = &cursor.0[1..];
                    0
                }
                sign @ ('+' | '-') => {
                    cursor.0 = &cursor.0[1..];
                    let hours = i32::try_from(cursor.number(2, 2)?).ok()?;
                    cursor.take(':')?;
                    let minutes = i32::try_from(cursor.number(2, 2)?).ok()?;
                    if hours > 24 || minutes > 60 {
                        return None;
                    }
                    let offset = hours * 60 + minutes;
                    if sign == '-' { -offset } else { offset }
                }
                _ => return None,
            };
        }
        if !cursor.0.is_empty() {
            return None;
        }
        time.checked()
    }

    fn checked(self) -> Option<Self> {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let valid = (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second < 60;
        valid.then_some(self)
    }
}

/// RFC 3339 with as many digits of the second as are needed.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { year, month, day, hour, minute, second, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanosecond != 0 {
            let digits = format!("{:09}", self.nanosecond);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset == 0 {
            return f.write_str("Z");
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.offset.abs() / 60, self.offset.abs() % 60)
    }
}
