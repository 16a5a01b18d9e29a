//! Compares how scalars print with what Go 1.26's fmt printed (`tools/oracle-template scalars`).

#![expect(clippy::unwrap_used, reason = "a test may end at what it does not expect")]

use serde_json::Value;
use std::{env, fs};
use windlass_go::fmt::{Flags, Formatter};

#[test]
fn scalars_print_as_in_go() {
    // For development: any file that the oracle wrote.
    let path = env::var("WINDLASS_GO_SCALARS").unwrap_or("tests/data/scalars.jsonl".to_owned());
    let text = fs::read_to_string(path).unwrap();
    let mut different = 0;
    for line in text.lines() {
        let record = serde_json::from_str::<Value>(line).unwrap();
        let mut printed = Vec::new();
        print(&mut printed, &record);
        let expected = base64(record["out"].as_str().unwrap());
        if printed != expected {
            different += 1;
            if different < 20 {
                let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                println!("{line}\n    want {:?}\n     got {:?}", lossy(&expected), lossy(&printed));
            }
        }
    }
    assert_eq!(different, 0, "of {}", text.lines().count());
}

fn print(to: &mut Vec<u8>, record: &Value) {
    let has = |flag| record["flags"].as_str().unwrap().contains(flag);
    let number = |key: &str| record[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let verb = record["verb"].as_str().unwrap().chars().next().unwrap();
    let mut formatter = Formatter::new(to);
    formatter.flags = Flags {
        minus: has('-'),
        plus: has('+') && verb != 'v',
        sharp: has('#') && verb != 'v',
        space: has(' '),
        zero: has('0'),
        plus_v: has('+') && verb == 'v',
        sharp_v: has('#') && verb == 'v',
        width: number("width"),
        precision: number("precision"),
    };
    let value = record["value"].as_str().unwrap();
    let fits = match record["kind"].as_str().unwrap() {
        "float64" => formatter.float(f64::from_bits(value.parse().unwrap()), 64, verb),
        "float32" => formatter.float(f64::from(f32::from_bits(value.parse().unwrap())), 32, verb),
        "int" => formatter.signed(value.parse().unwrap(), verb),
        "uint" => formatter.unsigned(value.parse().unwrap(), verb),
        _ => formatter.string(&base64(value), verb),
    };
    assert!(fits, "{record}");
}

/// The bytes of standard base64.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut n_bits) = (0_u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push(u8::try_from(bits >> n_bits & 0xff).unwrap());
        }
    }
    bytes
}
