//! How answers look: tables, colours, `-o json|yaml|name|wide`; data to stdout, everything else to stderr.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal, Write as _};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use windlass_kube::Value;
use windlass_source::{Refused, Scheme};

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The flag that chooses colours.
#[derive(Debug, Clone, Copy, Args, Default)]
pub(crate) struct ColorOption {
    /// When colours are used; NO_COLOR is heeded.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, hide_default_value = true, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

impl ColorOption {
    /// The painter for stdout.
    pub(crate) fn paint(self) -> Paint {
        let is_allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Paint(match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_allowed && std::io::stdout().is_terminal(),
        })
    }
}

/// Colours words, or leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way, or worth a look.
    Notice,
    /// Wrong.
    Bad,
    /// Less important than the rest.
    Dim,
    /// A heading.
    Strong,
    /// As it stands.
    Plain,
}

impl Paint {
    /// The text in a colour.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Notice => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
            Tone::Plain => return text.to_owned(),
        };
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The colour of a sync status, a health status, an operation's phase or an object's result.
pub(crate) fn tone_of(word: &str) -> Tone {
    match word {
        "Synced" | "Healthy" | "Succeeded" | "Pruned" => Tone::Good,
        "OutOfSync" | "Progressing" | "Running" | "Terminating" | "Suspended" | "PruneSkipped" => {
            Tone::Notice
        }
        "Degraded" | "Missing" | "Failed" | "Error" | "SyncFailed" => Tone::Bad,
        "Unknown" => Tone::Dim,
        _ => Tone::Plain,
    }
}

/// A table whose columns align by the width of what is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading per column.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self::with_headings(&headings)
    }

    /// A table with a heading per column, where the columns depend on something.
    pub(crate) fn with_headings(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(cell.into())).collect());
    }

    /// Whether there is nothing but headings.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The text, a line per row. Words that [`tone_of`] knows get their colour.
    pub(crate) fn print(&self, paint: Paint) -> String {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..n_columns).map(|column| width_of(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for (idx, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let tone = if idx == 0 { Tone::Strong } else { tone_of(cell) };
                line.push_str(&paint.tone(tone, cell));
                if column + 1 < row.len() {
                    line.extend(std::iter::repeat_n(' ', widths[column] - width(cell) + GAP));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Spaces between two columns, as `kubectl` leaves.
const GAP: usize = 3;

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A cell is one line: what a message has more of would break the table.
fn one_line(text: String) -> String {
    if text.contains(['\n', '\t']) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For people with wide screens.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Names only, one a line.
    Name,
}

impl Format {
    /// The answer for programs: a value as JSON or YAML, or names, one a line. `None` where people are to read it.
    pub(crate) fn for_programs<N: std::fmt::Display>(
        self,
        value: impl FnOnce() -> Value,
        names: impl IntoIterator<Item = N>,
    ) -> Option<String> {
        match self {
            Self::Json => Some(json(&value())),
            Self::Yaml => Some(windlass_yaml::to_yaml(&value())),
            Self::Name => Some(names.into_iter().map(|name| format!("{name}\n")).collect()),
            Self::Table | Self::Wide => None,
        }
    }
}

/// The flag that chooses the form of an answer.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormatOption {
    /// The form of the answer.
    #[arg(short, long = "output", value_enum, default_value_t = Format::Table, hide_default_value = true, value_name = "FORM")]
    pub(crate) output: Format,
}

/// The value as indented JSON with a line break at the end.
pub(crate) fn json(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A number of things: `1 Application`, `2 Applications`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Several objects in one document: a `List`, as `kubectl get -o` answers.
pub(crate) fn list_of(items: impl IntoIterator<Item = Value>) -> Value {
    let mut list = Value::object();
    list.set_at(&["apiVersion"], "v1");
    list.set_at(&["kind"], "List");
    list.set_at(&["items"], items.into_iter().collect::<Vec<Value>>());
    list
}

/// Several objects as YAML documents, each closed off from the next by `---`.
pub(crate) fn documents(items: impl IntoIterator<Item = Value>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| windlass_yaml::to_yaml(&item)).collect();
    texts.join("---\n")
}

/// Writes data to stdout. A reader that has seen enough is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Asks a person; a `no` is the default.
///
/// # Errors
///
/// When nobody is there to be asked; `otherwise` is the advice.
pub(crate) fn confirmed(question: &str, otherwise: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Advised::error("nobody is there to be asked", otherwise));
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Writes a line for people to stderr.
pub(crate) fn note(text: &str) {
    // Nobody is there to be told that nobody listens.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with advice that is printed on a line of its own.
#[derive(Debug)]
pub(crate) struct Advised {
    /// What went wrong.
    pub(crate) problem: String,
    /// What to do about it.
    pub(crate) advice: String,
}

impl Advised {
    /// An error with advice.
    pub(crate) fn error(problem: impl Into<String>, advice: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self { problem: problem.into(), advice: advice.into() })
    }
}

impl std::fmt::Display for Advised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Advised {}

/// Prints an error with its causes, and its advice if it has some.
pub(crate) fn report(error: &anyhow::Error) {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let _ = write!(text, "\n  caused by: {cause}");
    }
    if let Some(advised) = error.downcast_ref::<Advised>() {
        let _ = write!(text, "\nhint: {}", advised.advice);
    }
    let is_local = |cause: &Refused| {
        matches!(cause, Refused::Scheme { scheme: Scheme::Local } | Refused::InternalHost { .. })
    };
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_local)) {
        text.push_str("\nhint: --allow-local-repositories allows repositories and folders on this machine, and loopback hosts");
    }
    note(&text);
}

/// How long ago, in the one or two greatest units, as `kubectl` prints ages.
pub(crate) fn age(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = duration.as_secs();
    let two = |greater: u64, unit: &str, lesser: u64, lesser_unit: &str| match lesser {
        0 => format!("{greater}{unit}"),
        _ => format!("{greater}{unit}{lesser}{lesser_unit}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        _ => format!("{}d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_seen() {
        let mut table = Table::new(["NAME", "SYNC", "MESSAGE"]);
        table.row(["shop", "Synced", ""]);
        table.row(["größer-als", "OutOfSync", "two\nlines"]);
        let plain =
            "NAME         SYNC        MESSAGE\nshop         Synced\ngrößer-als   OutOfSync   two lines\n";
        assert_eq!(table.print(Paint(false)), plain);
        let coloured = table.print(Paint(true));
        assert!(coloured.contains("\x1b[32mSynced\x1b[0m"), "{coloured}");
        let bare = regex_free(&coloured);
        assert_eq!(bare.lines().map(str::trim_end).collect::<Vec<_>>(), plain.lines().collect::<Vec<_>>());
    }

    /// Without escape sequences.
    fn regex_free(text: &str) -> String {
        let mut parts = text.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        first + &parts.map(|part| part.split_once('m').unwrap().1).collect::<String>()
    }

    #[test]
    fn ages_use_the_greatest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3_600, "60m"),
            (10_860, "3h1m"),
            (90_000, "25h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn advice_survives_context() {
        let advised = || Advised { problem: "it is broken".into(), advice: "mend it".into() };
        for error in [
            anyhow::Error::new(advised()).context("while looking"),
            anyhow::anyhow!("not found").context(advised()).context("while looking"),
        ] {
            assert_eq!(error.downcast_ref::<Advised>().map(|it| it.advice.as_str()), Some("mend it"));
        }
    }
}
