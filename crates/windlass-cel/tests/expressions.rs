//! Every recorded expression: what the compiler says, what it evaluates to, and what it costs.
//!
//! The answers are those of `k8s.io/apiserver` and cel-go, recorded by `tools/oracle-cel`.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value as Recorded;
use std::fmt::Write as _;
use std::sync::Arc;
use windlass_cel::{CompileError, Environment, PER_CALL_LIMIT, Type, Value};
use windlass_go::duration::Duration;
use windlass_go::time::{Time, Zone};
use windlass_yaml::value;

fn environment() -> Environment {
    let map = |of| Type::map(Type::String, of);
    let variables = [
        ("i", Type::Int),
        ("u", Type::Uint),
        ("d", Type::Double),
        ("s", Type::String),
        ("b", Type::Bool),
        ("y", Type::Bytes),
        ("li", Type::list(Type::Int)),
        ("ls", Type::list(Type::String)),
        ("ms", map(Type::String)),
        ("mi", map(Type::Int)),
        ("any", Type::Dyn),
        ("object", map(Type::Dyn)),
        ("ts", Type::Timestamp),
        ("du", Type::Duration),
        ("os", Type::optional(Type::String)),
    ];
    variables
        .into_iter()
        .fold(Environment::new(), |environment, (name, ty)| environment.with_variable(name, ty))
}

fn variable(name: &str) -> Option<Value> {
    let anything = value!({
        "name": "web",
        "count": 3,
        "ratio": 1.5,
        "ready": true,
        "none": null,
        "labels": {"app": "shop", "tier": "front"},
        "ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 9090}],
        "list": [1, "two", 3.5, null, true],
    });
    Some(match name {
        "i" => Value::Int(7),
        "u" => Value::Uint(5),
        "d" => Value::Double(2.5),
        "s" => Value::string("héllo wörld"),
        "b" => Value::Bool(true),
        "y" => Value::Bytes(b"by\xfftes".as_slice().into()),
        "li" => Value::from_json(&value!([3, 1, 2])),
        "ls" => Value::from_json(&value!(["c", "a", "b"])),
        "ms" => Value::from_json(&value!({"k": "v", "x": "y"})),
        "mi" => Value::from_json(&value!({"one": 1, "two": 2})),
        "any" | "object" => Value::from_json(&anything),
        "ts" => Value::Timestamp(Box::new(
            Time::parse("2006-01-02T15:04:05Z07:00", "2024-02-29T13:14:15.16Z", &Zone::Utc).unwrap(),
        )),
        "du" => Value::Duration(Duration::from_secs(5430)),
        "os" => Value::Optional(Some(Arc::new(Value::string("there")))),
        _ => return None,
    })
}

fn show(value: &Value) -> String {
    match value {
        Value::Uint(uint) => format!("{uint}u"),
        Value::Double(_) => format!("double {value}"),
        Value::String(text) => {
            windlass_yaml::json::to_string(&windlass_yaml::Value::String((&**text).into()))
        }
        Value::Bytes(bytes) => bytes.iter().fold("bytes ".to_owned(), |mut out, byte| {
            write!(out, "{byte:02x}").unwrap();
            out
        }),
        Value::Duration(duration) => format!("duration {}", duration.as_nanos()),
        Value::Timestamp(_) => format!("timestamp {value}"),
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(inner)) => format!("some({})", show(inner)),
        Value::Type(name) => format!("type {name}"),
        Value::Quantity(quantity) => format!("quantity {quantity}"),
        Value::Url(url) => format!("url {url}"),
        Value::Ip(ip) => format!("ip {ip}"),
        Value::Cidr(..) => format!("cidr {value}"),
        Value::Semver(version) => format!("semver {version}"),
        Value::Format(format) => format!("format {}", format.name()),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| show(&item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let mut entries: Vec<String> =
                map.entries().iter().map(|(key, value)| format!("{}: {}", show(key), show(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// What we make of an expression, in the form of a recorded answer.
fn answer(environment: &Environment, expression: &str) -> Recorded {
    let mut told = serde_json::json!({"expression": expression});
    match environment.compile(expression) {
        Err(CompileError::Problems(problems)) => told["problem"] = problems.to_string().into(),
        Err(CompileError::Constant(message)) => told["error"] = format!("program: {message}").into(),
        Ok(program) => {
            told["type"] = program.ty().to_string().into();
            let estimate = program.estimate();
            told["least"] = estimate.min.into();
            told["most"] = estimate.max.into();
            let outcome = program.evaluate(&variable, PER_CALL_LIMIT);
            told["cost"] = outcome.cost.into();
            match outcome.value {
                Ok(value) => told["value"] = show(&value).into(),
                Err(fault) => told["error"] = fault.to_string().into(),
            }
        }
    }
    told
}

#[test]
fn expressions_are_as_recorded() {
    let environment = environment();
    let mut compared = 0;
    let mut differ = Vec::new();
    for line in include_str!("data/answers.jsonl").lines().skip(1) {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        let expression = recorded["expression"].as_str().unwrap();
        let ours = answer(&environment, expression);
        compared += 1;
        let mut wrong = Vec::new();
        for (field, absent) in [
            ("problem", Recorded::Null),
            ("value", Recorded::Null),
            ("error", Recorded::Null),
            ("cost", Recorded::Null),
            ("least", 0.into()),
            ("most", 0.into()),
        ] {
            let theirs = recorded.get(field).cloned().unwrap_or_else(|| absent.clone());
            let ours = ours.get(field).cloned().unwrap_or(absent);
            let no_program = recorded["error"].as_str().is_some_and(|error| error.starts_with("program: "));
            if theirs != ours && !(no_program && ["least", "most"].contains(&field)) {
                wrong.push(format!("  {field}\n    theirs {theirs}\n    ours   {ours}"));
            }
        }
        if !wrong.is_empty() {
            differ.push(format!("{expression}\n{}", wrong.join("\n")));
        }
    }
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
}

mod any_input {
    use super::{environment, variable};
    use proptest::prelude::*;

    /// Pieces that expressions are made of, so that many of them compile.
    fn expression() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "i",
            "u",
            "d",
            "s",
            "b",
            "y",
            "li",
            "ls",
            "ms",
            "mi",
            "any",
            "object",
            "ts",
            "du",
            "os",
            "1",
            "2u",
            "'a'",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            ".",
            "?",
            ":",
            ",",
            " + ",
            " - ",
            " * ",
            " / ",
            " % ",
            " == ",
            " < ",
            " && ",
            " || ",
            " in ",
            "!",
            "-",
            "all(x, ",
            "map(x, ",
            "exists(x, ",
            "filter(x, ",
            "x",
            "size()",
            "has(",
            "name",
            "ports",
            ".?name",
            "[?0]",
            "optMap(x, ",
            "sortBy(x, ",
            "transformMap(k, v, ",
            "replace('', s)",
            "\\",
            "'",
            "é",
            "0x",
            "1e9",
            "b'",
            "r\"",
            "//",
            "\n",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn nothing_panics_and_no_limit_is_passed(text in expression()) {
            if let Ok(program) = environment().compile(&text) {
                let estimate = program.estimate();
                let outcome = program.evaluate(&variable, 10_000);
                // One step may pass the limit, and ends the evaluation.
                if outcome.cost > 10_000 {
                    prop_assert!(outcome.value.is_err());
                }
                if outcome.value.is_ok() {
                    prop_assert!(outcome.cost <= estimate.max, "{} costs {} of {}", text, outcome.cost, estimate.max);
                }
            }
        }

        #[test]
        fn any_text_is_compiled_or_refused(text in ".{0,60}") {
            let _ = environment().compile(&text).map(|program| program.evaluate(&variable, 1_000));
        }
    }

    #[test]
    fn depth_is_bounded() {
        for nested in ["(", "[", "!(", "-(", "{1:", "a.b(", "i + (", "b ? i : ("] {
            let _ = environment().compile(&nested.repeat(20_000));
        }
        let _ = environment().compile(&"i + ".repeat(20_000));
        let _ = environment().compile(&"b && ".repeat(15_000));
        let program = environment().compile(&format!("{}b", "b && ".repeat(5_000)));
        assert!(program.is_ok_and(|program| program.evaluate(&variable, 100_000).value.is_ok()));
    }

    #[test]
    fn what_grows_fast_is_stopped() {
        let grows = format!("optional.of(s){}", ".optMap(x, x.replace('', x))".repeat(5));
        let outcome = environment().compile(&grows).map(|program| program.evaluate(&variable, 1_000_000));
        assert!(outcome.is_ok_and(|outcome| outcome.value.is_err()));
        let range = environment().compile("lists.range(9223372036854775807)");
        assert!(range.is_ok_and(|program| program.evaluate(&variable, 1_000_000).value.is_err()));
    }
}
