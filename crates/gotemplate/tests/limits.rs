//! What stops a template that would never stop, and that nothing panics on the way.

#![expect(clippy::unwrap_used, reason = "a test may end at what it does not expect")]

use std::sync::Arc;
use std::thread;

use gotemplate::{
    Context, Entry, Functions, Instant, LimitExceeded, Limits, Map, NoWorld, Signature, TemplateSet, Value,
    World, types,
};
use proptest::prelude::*;

static FUNCTIONS: &[Entry] = &[
    Entry::new("list", Signature::variadic(&[], &types::ANY), |_, a| Ok(Value::list(a.to_vec()))),
    Entry::new("set", Signature::fixed(&[&types::MAP, &types::STRING, &types::ANY]), |_, a| {
        a[0].as_map().unwrap().insert(a[1].as_string().unwrap().clone(), a[2].clone());
        Ok(Value::EMPTY)
    }),
    Entry::new("include", Signature::fixed(&[&types::STRING, &types::ANY]), |cx, a| {
        Ok(Value::String(cx.execute(a[0].as_string().unwrap(), &a[1])?))
    }),
];

fn set(text: &str) -> Arc<TemplateSet> {
    let mut functions = Functions::builtin();
    functions.register(FUNCTIONS);
    let mut set = TemplateSet::new(functions);
    set.parse("x", text).unwrap();
    Arc::new(set)
}

fn run(text: &str, limits: Limits) -> Result<String, (String, Option<LimitExceeded>)> {
    let data = Value::Map(Map::new());
    match set(text).execute("x", &data, limits, &mut NoWorld::default()) {
        Ok(output) => Ok(String::from_utf8(output).unwrap()),
        Err(error) => Err((error.to_string(), error.limit())),
    }
}

#[test]
fn recursion_stops_at_the_depth_that_go_has() {
    let (message, limit) = run(r#"{{template "x"}}"#, Limits::default()).unwrap_err();
    assert_eq!(
        message,
        r#"template: x:1:11: executing "x" at <{{template "x"}}>: exceeded maximum template depth (100000)"#
    );
    assert_eq!(limit, Some(LimitExceeded::Depth(Limits::MAX_DEPTH)));
}

#[test]
fn recursion_through_a_function_stops() {
    let limits = Limits { depth: 500, ..Limits::default() };
    let (message, limit) = run(r#"{{include "x" .}}"#, limits).unwrap_err();
    assert!(message.ends_with("exceeded maximum template depth (500)"), "{message}");
    assert_eq!(limit, Some(LimitExceeded::Depth(500)));
}

#[test]
fn long_loops_stop() {
    let limits = Limits { steps: 100_000, ..Limits::default() };
    let (_, limit) = run("{{range 1000000000}}{{end}}", limits).unwrap_err();
    assert_eq!(limit, Some(LimitExceeded::Steps(100_000)));
}

#[test]
fn long_output_stops() {
    let limits = Limits { output: 1_000, ..Limits::default() };
    let (message, limit) = run("{{range 1000000000}}ten bytes.{{end}}", limits).unwrap_err();
    assert_eq!(limit, Some(LimitExceeded::Output(1_000)));
    assert!(message.contains("exceeded the limit of 1000 bytes of output"), "{message}");
}

#[test]
fn output_inside_of_functions_counts() {
    let text = r#"{{define "t"}}ten bytes.{{end}}{{range 1000000}}{{$x := include "t" .}}{{end}}"#;
    let limits = Limits { output: 1_000, ..Limits::default() };
    let (_, limit) = run(text, limits).unwrap_err();
    assert_eq!(limit, Some(LimitExceeded::Output(1_000)));
}

#[test]
fn printed_values_that_double_stop() {
    let text = r#"{{$x := "aaaaaaaaaaaaaaaa"}}{{range 100}}{{$x = print $x $x}}{{end}}"#;
    let (message, limit) = run(text, Limits::default()).unwrap_err();
    assert!(limit.is_some() || message.contains("longer than"), "{message}");
}

#[test]
fn the_deadline_stops_it() {
    struct Late(u32);
    impl World for Late {
        fn now(&mut self) -> Instant {
            Instant { seconds: 0, nanoseconds: 0 }
        }
        fn random(&mut self, _: &mut [u8]) {}
        fn is_over(&mut self) -> bool {
            self.0 += 1;
            self.0 > 3
        }
    }
    let error = set("{{range 1000000000}}{{end}}").execute("x", &Value::Nil, Limits::default(), &mut Late(0));
    assert_eq!(error.unwrap_err().limit(), Some(LimitExceeded::Time));
}

#[test]
fn a_map_inside_itself_is_no_trouble() {
    let (message, _) = run(r#"{{set . "a" .}}{{set . "b" .}}{{.}}"#, Limits::default()).unwrap_err();
    assert!(message.contains("nests deeper than") || message.contains("longer than"), "{message}");
    let map = Map::new();
    map.insert("a", Value::Map(map.clone()));
    map.insert("b", Value::Map(map.clone()));
    assert!(Value::Map(map.clone()).to_yaml().is_err());
    // Whoever builds a circle has to break it; the memory is not found again by itself.
    map.write().clear();
}

#[test]
fn values_that_nest_deeply_are_dropped() {
    let output = run("{{$x := 1}}{{range 300000}}{{$x = list $x}}{{end}}done", Limits::default());
    assert_eq!(output.unwrap(), "done");
}

#[test]
fn texts_that_nest_deeply_parse_or_complain() {
    let nested = |n: usize, open: &str, middle: &str, close: &str| {
        let text = format!("{}{middle}{}", open.repeat(n), close.repeat(n));
        let mut set = TemplateSet::new(Functions::builtin());
        set.parse("x", &text).map(|_| ()).map_err(|error| error.to_string())
    };
    let parentheses = |n| {
        let text = format!("{{{{{}1{}}}}}", "(".repeat(n), ")".repeat(n));
        let mut set = TemplateSet::new(Functions::builtin());
        set.parse("x", &text).map(|_| set).map_err(|error| error.to_string())
    };
    let set = Arc::new(parentheses(9_000).unwrap());
    let output = set.execute("x", &Value::Nil, Limits::default(), &mut NoWorld::default());
    assert_eq!(output.unwrap(), b"1");
    assert_eq!(parentheses(10_001).err().unwrap(), "template: x:1: max expression depth exceeded");
    assert_eq!(nested(5_000, "{{if 1}}", "a", "{{end}}"), Ok(()));
    assert!(nested(20_000, "{{if 1}}", "a", "{{end}}").is_err());
    assert_eq!(nested(1, "{{if 0}}", &"{{else if 0}}".repeat(20_000), "{{end}}"), Ok(()));
}

#[test]
fn one_set_executes_on_many_threads() {
    let set = set(r#"{{range $k, $v := .}}{{$k}}={{$v}};{{end}}{{set . "c" 3}}"#);
    let threads = (0..4).map(|_| {
        let set = Arc::clone(&set);
        thread::spawn(move || {
            let data = Value::Map([("a", Value::Int(1)), ("b", Value::Int(2))].into_iter().collect());
            set.execute("x", &data, Limits::default(), &mut NoWorld::default()).unwrap()
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap(), b"a=1;b=2;");
    }
}

#[test]
fn extending_a_set_leaves_it_alone() {
    let outer = set(r#"{{define "t"}}outer{{end}}"#);
    let mut current = Arc::clone(&outer);
    for round in 0..30 {
        let mut inner = current.extend();
        inner.parse("t", format!("inner {round}")).unwrap();
        current = Arc::new(inner);
    }
    let text = |set: &Arc<TemplateSet>| {
        set.execute("t", &Value::Nil, Limits::default(), &mut NoWorld::default()).unwrap()
    };
    assert_eq!(text(&current), b"inner 29");
    assert_eq!(text(&outer), b"outer");
    assert!(current.contains("x"));
}

#[test]
fn work_is_counted_and_the_world_is_noticed() {
    let mut world = NoWorld::default();
    let mut context = Context::new(set("{{range 10}}{{.}}{{end}}"), Limits::default(), &mut world);
    context.execute("x", &Value::Nil).unwrap();
    assert!(context.steps() > 20);
    assert!(!context.asked_world());
    context.now();
    assert!(context.asked_world());
}

/// Pieces that templates are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{{- ",
        " -}}",
        " ",
        "\n",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "block",
        "template",
        "break",
        "continue",
        "nil",
        "true",
        ".",
        ".a",
        ".a.b",
        "$",
        "$x",
        "$x.a",
        ":=",
        "=",
        ",",
        "|",
        "(",
        ")",
        "\"x\"",
        "\"",
        "`x`",
        "`",
        "'a'",
        "'",
        "1",
        "-1",
        "1.5",
        "0x",
        "1i",
        "/*",
        "*/",
        "print",
        "printf",
        "\"%v%d%[2]*.3q\"",
        "index",
        "slice",
        "len",
        "and",
        "or",
        "eq",
        "lt",
        "call",
        "html",
        "js",
        "urlquery",
        "é",
        "\u{0}",
        "text",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_text_parses_or_complains(text in any::<Vec<u8>>()) {
        let mut set = TemplateSet::new(Functions::builtin());
        let _ = set.parse("x", &text);
    }

    #[test]
    fn whatever_parses_executes_or_complains(text in pieces()) {
        let mut set = TemplateSet::new(Functions::builtin());
        if set.parse("x", &text).is_ok() {
            let data = Value::Map([("a", Value::Map([("b", Value::from("text"))].into_iter().collect()))].into_iter().collect());
            let limits = Limits { steps: 20_000, output: 1 << 20, depth: 100, ..Limits::default() };
            let _ = Arc::new(set).execute("x", &data, limits, &mut NoWorld::default());
        }
    }

    #[test]
    fn any_format_prints(format in "(%[-+# 0]{0,3}(\\[[0-9]?\\]?)?[0-9*]{0,2}(\\.[0-9*]{0,2})?[a-zA-Z%é]?|[a-z%]){0,5}", int in any::<i64>(), float in any::<f64>(), text in any::<Vec<u8>>()) {
        let arguments = [Value::Int(int), Value::Float(float), Value::string(text), Value::Nil, Value::list(vec![Value::Int(1)])];
        for start in 0..arguments.len() {
            let _ = gotemplate::format::sprintf(format.as_bytes(), &arguments[start..]);
        }
    }
}
