//! Tokens of the machine that Windlass runs on: files, and what programs print.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::{Asking, MAX_TOKEN_BYTES, Stamp, Token, unusable};
use crate::error::SourceError;

/// A program that takes longer hangs: those of the clouds ask one server.
const COMMAND_SECONDS: u64 = 30;

/// What a program sees of our environment: enough to find itself and its configuration.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

#[derive(Deserialize)]
struct Printed {
    token: String,
    expiry: Option<String>,
}

/// What a file looks like from outside.
pub(super) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

pub(super) fn of_file(asking: &Asking<'_>, what: &'static str, path: &Path) -> Result<Token, SourceError> {
    let text = text_of(asking, what, path)?;
    asking.accepted(what, &text, None)
}

/// What a file of credentials says.
pub(super) fn text_of(asking: &Asking<'_>, what: &'static str, path: &Path) -> Result<String, SourceError> {
    let mut text = String::new();
    // A pipe or a device would be waited for without end.
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let read = if is_file {
        File::open(path).and_then(|file| file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text))
    } else {
        return Err(unusable(asking.repository, what, "there is no such file"));
    };
    if let Err(error) = read {
        return Err(unusable(asking.repository, what, &format!("it cannot be read: {error}")));
    }
    if text.len() as u64 > MAX_TOKEN_BYTES {
        return Err(too_long(asking, what));
    }
    Ok(text)
}

pub(super) fn of_command(
    asking: &Asking<'_>,
    what: &'static str,
    arguments: &[String],
) -> Result<Token, SourceError> {
    let wrong = |text: &str| unusable(asking.repository, what, text);
    let (program, arguments) = arguments.split_first().ok_or_else(|| wrong("it names no program"))?;
    let run = async {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        // Complaints may repeat a secret, and nobody reads them.
        command.stderr(Stdio::null()).kill_on_drop(true);
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn()?;
        let mut printed = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut printed).await?;
        }
        if printed.len() as u64 > MAX_TOKEN_BYTES {
            return Ok((printed, None));
        }
        let status = child.wait().await?;
        Ok::<_, std::io::Error>((printed, Some(status)))
    };
    let (printed, status) = match asking.web.io.wait(Duration::from_secs(COMMAND_SECONDS), run) {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => return Err(wrong(&format!("it cannot be run: {error}"))),
        Err(crate::transport::runtime::Stopped::Silent(_)) => {
            return Err(wrong(&format!("it ran longer than the limit COMMAND_SECONDS of {COMMAND_SECONDS}")));
        }
        Err(stopped) => return Err(stopped.into_error(asking.repository)),
    };
    match status {
        None => return Err(too_long(asking, what)),
        Some(status) if !status.success() => return Err(wrong(&format!("it ended with {status}"))),
        Some(_) => {}
    }
    let printed = String::from_utf8(printed).map_err(|_| wrong("what it printed is no text"))?;
    if !printed.trim_start().starts_with('{') {
        return asking.accepted(what, &printed, asking.after(None));
    }
    // The parser's own words could repeat what was printed.
    let unreadable = || wrong("the JSON that it printed has no token, or an expiry that is no time");
    let printed: Printed = serde_json::from_str(&printed).map_err(|_| unreadable())?;
    let ends = match printed.expiry.as_deref().filter(|text| !text.is_empty()) {
        None => asking.after(None),
        Some(text) => Some(time(text).ok_or_else(unreadable)?),
    };
    asking.accepted(what, &printed.token, ends)
}

fn too_long(asking: &Asking<'_>, what: &'static str) -> SourceError {
    let text = format!("it gives more than the limit MAX_TOKEN_BYTES of {MAX_TOKEN_BYTES} bytes");
    unusable(asking.repository, what, &text)
}

/// Reads a time of RFC 3339.
pub(super) fn time(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    let mut parts = clock.split('.').next()?.splitn(3, ':');
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let offset = match zone.get(1..)? {
        "" if zone.eq_ignore_ascii_case("z") => 0,
        offset => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = number(hours)? * 60 + number(minutes)?;
            if zone.starts_with('-') { -minutes * 60 } else { minutes * 60 }
        }
    };
    let is_time = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_time {
        return None;
    }
    // Days of the civil calendar since 1970, years beginning in March so that leap days come last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        // `date -u -d TEXT +%s` of GNU coreutils.
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:34:56Z", Some(1_709_210_096)),
            ("2024-03-01T00:00:00.123456Z", Some(1_709_251_200)),
            ("2026-11-22T02:00:00+02:00", Some(1_795_305_600)),
            ("2026-11-21T19:30:00-04:30", Some(1_795_305_600)),
            ("2026-11-22", None),
            ("2026-13-22T00:00:00Z", None),
            ("2026-11-22T00:00:00", None),
            ("soon", None),
        ] {
            let read = time(text).map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(read, expected, "{text}");
        }
    }
}
