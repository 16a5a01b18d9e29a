//! Functions that a hostile template calls: each stops at a limit that names itself, or answers at once.

#![cfg(feature = "crypto")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use gotemplate::{Functions, Limits, MissingKey, NoWorld, TemplateSet, Value, sprig};

fn render(template: &str) -> Result<String, String> {
    let mut functions = Functions::builtin();
    sprig::register(&mut functions);
    let mut set = TemplateSet::new(functions).missing_key(MissingKey::Zero);
    set.parse("t", template).map_err(|error| error.to_string())?;
    // A hundredth of the usual steps: tests run without optimization.
    let limits =
        Limits { steps: Limits::MAX_STEPS / 100, memory: Limits::MAX_MEMORY / 10, ..Limits::default() };
    let printed = Arc::new(set).execute("t", &Value::Nil, limits, &mut NoWorld::default());
    printed.map(|printed| String::from_utf8_lossy(&printed).into_owned()).map_err(|error| error.to_string())
}

/// Renders, and fails if that takes as long as no limit would allow.
fn render_soon(template: &str) -> Result<String, String> {
    let start = Instant::now();
    let result = render(template);
    assert!(start.elapsed() < Duration::from_secs(60), "{template}");
    result
}

#[test]
fn what_would_never_end_stops_at_a_limit() {
    let templates = [
        "{{until 1000000000000}}",
        "{{untilStep 0 9223372036854775807 1}}",
        "{{untilStep 9223372036854775807 0 -1}}",
        "{{seq 0 1 9223372036854775806}}",
        "{{seq -9223372036854775807 9223372036854775806}}",
        "{{repeat 1000000000000 \"x\"}}",
        "{{repeat 9223372036854775807 \"xx\" | len}}",
        "{{indent 1000000000000 \"x\"}}",
        "{{nindent 100000 (repeat 100000 \"\\n\") | len}}",
        "{{randAlphaNum 1000000000000}}",
        "{{randBytes 1000000000000}}",
        "{{wrapWith 1 (repeat 10000 \"x\") (repeat 100000 \"y\") | len}}",
        "{{replace \"\" (repeat 10000 \"x\") (repeat 100000 \"y\") | len}}",
        "{{replace \"y\" (repeat 10000 \"x\") (repeat 100000 \"y\") | len}}",
        "{{regexReplaceAll \"a*\" (repeat 100000 \"a\") (repeat 10000 \"$0\") | len}}",
        "{{$x := \"a\"}}{{range until 100}}{{$x = cat $x $x}}{{end}}",
        "{{$x := list 1}}{{range until 100}}{{$x = concat $x $x}}{{end}}",
        "{{$x := list 1}}{{range until 100}}{{$x = list $x $x}}{{end}}{{toJson $x | len}}",
        "{{$x := list 1}}{{range until 100}}{{$x = list $x $x}}{{end}}{{toYaml $x | len}}",
        "{{$x := list 1}}{{range until 100}}{{$x = list $x $x}}{{end}}{{toToml (dict \"a\" $x) | len}}",
        "{{$x := list 1}}{{range until 100}}{{$x = list $x $x}}{{end}}{{deepCopy $x | len}}",
        "{{$x := list now}}{{range until 100}}{{$x = list $x $x}}{{end}}{{toYamlPretty $x | len}}",
        "{{$x := until 20000}}{{uniq $x | len}}",
        "{{$x := repeat 1000000 \"x\"}}{{range until 1000000}}{{$y := upper $x}}{{end}}",
        "{{$x := repeat 1000000 \"x\"}}{{range until 1000000}}{{$y := contains \"y\" $x}}{{end}}",
        "{{$x := repeat 1000000 \"x\"}}{{range until 1000000}}{{$y := sha256sum $x}}{{end}}",
        "{{range until 100000}}{{$y := genPrivateKey \"rsa\"}}{{end}}",
        "{{range until 100000}}{{$y := bcrypt \"x\"}}{{end}}",
        "{{range until 100000}}{{$y := derivePassword 1 \"long\" \"p\" \"u\" \"s\"}}{{end}}",
        "{{splitList \"\" (repeat 10000000 \"x\") | len}}",
        "{{range $i := until 1000000}}{{$y := regexMatch (printf \"(x%d|y){1,50}\" $i) \"x\"}}{{end}}",
    ];
    for template in templates {
        match render_soon(template) {
            Err(error) if error.contains("exceeded the limit of") || error.contains("length overflow") => {}
            other => panic!("{template}: {:.200?}", other),
        }
    }
}

#[test]
fn values_that_contain_themselves_end() {
    for call in [
        "toYaml $d | len",
        "toJson $d | len",
        "toPrettyJson $d | len",
        "toToml $d | len",
        "toYamlPretty $d | len",
        "deepCopy $d | len",
        "deepEqual $d (dict \"a\" $d)",
        "merge (dict \"a\" (dict)) $d | len",
        "mergeOverwrite $d $d | len",
        "quote $d | len",
        "toString $d | len",
        "join \"\" (list $d) | len",
        "has $d (list (dict \"a\" $d))",
    ] {
        // What it is, is Go's business, which overflows its stack; that there is an end, is ours.
        let _ = render_soon(&format!("{{{{$d := dict}}}}{{{{$d = set $d \"a\" $d}}}}{{{{{call}}}}}"));
    }
}

#[test]
fn expressions_that_explode_are_refused() {
    for pattern in ["(x{1000}){1000}", "((a{100}){100}){100}", "(?:(?:(?:(?:x*)*)*)*)*y"] {
        let started = render_soon(&format!("{{{{regexMatch {pattern:?} (repeat 100000 \"x\")}}}}"));
        assert!(started.is_ok(), "{started:?}");
    }
}
