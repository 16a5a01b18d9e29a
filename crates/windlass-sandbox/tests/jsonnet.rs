//! Jsonnet in a child: what works, what is ended, and that the next program works.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windlass_model::JsonnetVariable;
use windlass_render::jsonnet::{Engine, Files, Inline, JsonnetError, Program};
use windlass_sandbox::{ChildJsonnet, Limits};

struct Memory<'a>(BTreeMap<&'static str, &'a str>);

impl Files for Memory<'_> {
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        if path.ends_with("forbidden") {
            return Err(format!("{path} may not be read"));
        }
        Ok(self.0.get(path).map(|text| text.as_bytes().into()))
    }
}

fn run(engine: &dyn Engine, text: &str) -> Result<String, JsonnetError> {
    let program = Program {
        file: "app/main.jsonnet".into(),
        external_variables: vec![JsonnetVariable { name: "x".into(), value: "1 + 1".into(), is_code: true }],
        top_level_arguments: vec![JsonnetVariable { name: "a".into(), value: "é".into(), is_code: false }],
        search: vec!["lib".into()],
    };
    let large = format!("'{}'", "x".repeat(1 << 20));
    let files = [("app/main.jsonnet", text), ("lib/x.libsonnet", "{y: 1}"), ("lib/large", &large)];
    engine.evaluate(&program, &mut Memory(files.into()))
}

fn child(limits: Limits) -> ChildJsonnet {
    ChildJsonnet::new(env!("CARGO_BIN_EXE_jsonnet-child").into(), limits)
}

/// On a machine that is busy with other things, a good program takes a while.
fn patient() -> Limits {
    Limits { time: Duration::from_secs(60), ..Limits::default() }
}

#[test]
fn a_child_answers_what_the_engine_answers_again_and_again() {
    let child = child(patient());
    for text in [
        "{a: std.extVar('x')}",
        "function(a) [a, import 'x.libsonnet', importstr 'x.libsonnet']",
        "std.length(import 'large')",
        "import 'large'",
        "import 'absent.libsonnet'",
        "import 'forbidden'",
        "{\n  a: error 'broken',\n}",
        "local f(x) = f(x) + 1; f(1)",
        "{",
    ] {
        assert_eq!(run(&child, text), run(&Inline, text), "{text}");
    }
}

#[test]
fn what_goes_beyond_a_limit_is_ended_and_the_next_program_works() {
    let short = Limits { time: Duration::from_secs(1), memory_bytes: 256 << 20 };
    let patient = Limits { time: Duration::from_secs(60), ..short };
    let large = Limits { memory_bytes: 2 << 30, ..patient };
    let brackets = "[".repeat(2_000_000);
    let negations = format!("{}true", "!".repeat(100_000));
    let names = format!("{}1", "local a = ".repeat(200_000));
    for (limits, text, limit) in [
        (short, "local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(200)", "RUN_SECONDS"),
        (short, "local f(n) = if n < 0 then 0 else f(n + 1) tailstrict; f(0)", "RUN_SECONDS"),
        (
            patient,
            "local f(a, n) = if n == 0 then a else f(a + a, n - 1); std.length(f([1], 40))",
            "MEMORY_BYTES",
        ),
        (patient, "std.makeArray(1250000000, function(i) i)", "MEMORY_BYTES"),
        (patient, "std.repeat('0123456789', 1000000000)", "MEMORY_BYTES"),
        (large, "std.repeat('0123456789', 7000000)", "RESULT_BYTES"),
        (patient, "local f(n) = if n == 0 then [] else [f(n - 1)]; f(1000000)", "STACK_FRAMES"),
        (patient, brackets.as_str(), "MEMORY_BYTES"),
        (short, negations.as_str(), "RUN_SECONDS"),
        (patient, names.as_str(), "STACK_SHARE"),
    ] {
        let child = child(limits);
        let start: String = text.chars().take(60).collect();
        // One that was there before is ended as well as one that is started for it.
        for _ in 0..2 {
            let error = run(&child, text).expect_err(&start);
            assert!(error.problem.contains(&format!("(limit {limit}")), "{start}: {error}");
            assert_eq!(run(&child, "std.extVar('x')").unwrap(), "2", "{start}");
        }
    }
}

#[test]
fn a_program_that_is_no_child_is_an_error() {
    let error = run(&ChildJsonnet::new("/bin/true".into(), patient()), "1").unwrap_err();
    assert!(error.problem.starts_with("its process ended before it was done"), "{error}");
    let error = run(&ChildJsonnet::new("/nowhere".into(), patient()), "1").unwrap_err();
    assert!(error.problem.starts_with("no process could be started for it"), "{error}");
}
