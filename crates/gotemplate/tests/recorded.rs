//! Compares the language with what Go 1.26's text/template answered (`tools/oracle-template`).

#![expect(clippy::print_stdout, reason = "differences are shown to whoever runs the test")]
#![expect(clippy::unwrap_used, reason = "a test may end at what it does not expect")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test data is small")]

mod oracle;

use oracle::Record;
use std::{env, fs, path::Path};

/// How many differences are shown.
const SHOWN: usize = 25;

fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (mut total, mut different) = (0, 0);
    for line in text.lines() {
        let record = Record::parse(line);
        let (expected, actual) = (record.expected(), record.actual());
        total += 1;
        if expected != actual {
            different += 1;
            if different <= SHOWN {
                println!("--- {}\n    data {}", record.json["t"], shortened(&record.json["d"].to_string()));
                if expected.1 != actual.1 {
                    println!("    want error {:?}\n     got error {:?}", expected.1, actual.1);
                } else {
                    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let (want, got) = (lossy(&expected.0), lossy(&actual.0));
                    let same = want.chars().zip(got.chars()).take_while(|(want, got)| want == got).count();
                    let tail = |text: &str| {
                        shortened(&text.chars().skip(same.saturating_sub(20)).collect::<String>())
                    };
                    println!("    want …{:?}\n     got …{:?}", tail(&want), tail(&got));
                }
            }
        }
    }
    println!("{}: {different} of {total} differ", path.display());
    assert_eq!(different, 0, "{different} of {total} differ");
    assert!(total > 0, "nothing was recorded");
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

#[test]
fn cases() {
    check(Path::new("tests/data/cases.jsonl"));
}

#[test]
fn generated() {
    check(Path::new("tests/data/generated.jsonl"));
}

/// For development: `GOTEMPLATE_RECORDS=FILE` compares with any file that the oracle wrote.
#[test]
fn brought() {
    if let Some(path) = env::var_os("GOTEMPLATE_RECORDS") {
        check(Path::new(&path));
    }
}
