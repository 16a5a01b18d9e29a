//! Compares Jsonnet programs of whole repositories with the answers of go-jsonnet: `tools/oracle-jsonnet/README.md`.
#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_kube::{Str, Value};
use windlass_model::JsonnetVariable;
use windlass_render::jsonnet::{Engine, Files, Inline, JsonnetError, Program};
use windlass_yaml::json;

/// Of a long answer, this many characters are shown around the first difference.
const SHOWN: usize = 300;

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        Ok(std::fs::read(self.0.join(path)).ok().map(Arc::from))
    }
}

fn variables(request: &Value, key: &str) -> Vec<JsonnetVariable> {
    let variable = |variable: &Value| JsonnetVariable {
        name: variable.str_at(&["name"]).unwrap_or_default().into(),
        value: variable.str_at(&["value"]).unwrap_or_default().into(),
        is_code: variable.bool_at(&["code"]).unwrap_or(false),
    };
    request.items_at(&[key]).iter().map(variable).collect()
}

fn evaluate(request: &Value) -> Result<String, JsonnetError> {
    let program = Program {
        file: request.str_at(&["file"]).unwrap_or_default().into(),
        external_variables: variables(request, "ext"),
        top_level_arguments: variables(request, "tla"),
        search: request.items_at(&["libs"]).iter().filter_map(Value::as_str).map(Str::from).collect(),
    };
    Inline.evaluate(&program, &mut Folder(request.str_at(&["root"]).unwrap_or_default().into()))
}

/// The end of both from shortly before they part.
fn parting<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let common = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let part = |text: &'a str| {
        let from = text.floor_char_boundary(common.saturating_sub(SHOWN / 3));
        &text[from..text.floor_char_boundary((from + SHOWN).min(text.len()))]
    };
    (part(one), part(other))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("the file of answers is not named")?;
    let (mut equal, mut failing, mut different) = (0, 0, 0);
    let mut longest = (Duration::ZERO, String::new());
    for line in std::fs::read_to_string(file)?.lines() {
        let request = json::parse(line.as_bytes())?;
        let name = request.str_at(&["file"]).unwrap_or_default();
        let begun = Instant::now();
        let answer = evaluate(&request);
        longest = longest.max((begun.elapsed(), name.to_owned()));
        match (request.get("json"), &answer) {
            (None, Err(_)) => failing += 1,
            (Some(expected), Ok(text)) if json::parse(text.as_bytes())? == *expected => equal += 1,
            (expected, answer) => {
                different += 1;
                let expected = expected
                    .map_or_else(|| request.str_at(&["error"]).unwrap_or_default().into(), json::to_string);
                let answer = match answer {
                    Ok(text) => json::to_string(&json::parse(text.as_bytes())?),
                    Err(error) => error.to_string(),
                };
                let (expected, answer) = parting(&expected, &answer);
                println!("{name}\n  expected …{expected}\n  got      …{answer}");
            }
        }
    }
    println!(
        "{equal} equal, {failing} fail in both, {different} differ; longest {:?} for {}",
        longest.0, longest.1
    );
    Ok(())
}
