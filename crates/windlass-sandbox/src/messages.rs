//! What parent and child say to one another: a JSON object a line.

use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::{Str, Value};
use windlass_model::JsonnetVariable;
use windlass_render::jsonnet::{JsonnetError, Place, Program};
use windlass_yaml::json;

pub(crate) fn send(into: &mut impl Write, message: &Value) -> io::Result<()> {
    let mut line = json::to_vec(message);
    line.push(b'\n');
    into.write_all(&line)?;
    into.flush()
}

/// The next message; `None` at the end, when what is said is none, or when it is longer than `limit`.
pub(crate) fn receive(from: &mut impl BufRead, limit: u64) -> Option<Value> {
    let mut line = Vec::new();
    io::Read::take(&mut *from, limit).read_until(b'\n', &mut line).ok()?;
    message(&line)
}

/// What a line says.
pub(crate) fn message(line: &[u8]) -> Option<Value> {
    json::parse(line.strip_suffix(b"\n")?).ok()
}

/// What a child is asked to do.
pub(crate) struct Request {
    pub(crate) program: Program,
    /// For how long it may compute.
    pub(crate) seconds: u64,
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().collect())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

pub(crate) fn of_request(program: &Program, seconds: u64) -> Value {
    let variables = |variables: &[JsonnetVariable]| {
        list(variables.iter().map(|variable| {
            list([variable.name.clone().into(), variable.value.clone().into(), variable.is_code.into()])
        }))
    };
    object([
        ("seconds", i64::try_from(seconds).unwrap_or(i64::MAX).into()),
        ("file", program.file.clone().into()),
        ("external", variables(&program.external_variables)),
        ("arguments", variables(&program.top_level_arguments)),
        ("search", list(program.search.iter().map(|folder| folder.clone().into()))),
    ])
}

pub(crate) fn to_request(message: &Value) -> Option<Request> {
    let variable = |value: &Value| {
        let [name, text, is_code] = value.as_array()?.as_slice() else { return None };
        Some(JsonnetVariable {
            name: name.as_str()?.into(),
            value: text.as_str()?.into(),
            is_code: is_code.as_bool()?,
        })
    };
    let variables = |key| message.items_at(&[key]).iter().map(variable).collect::<Option<Vec<_>>>();
    let search = message.items_at(&["search"]).iter().map(|folder| folder.as_str().map(Str::from));
    let program = Program {
        file: message.str_at(&["file"])?.into(),
        external_variables: variables("external")?,
        top_level_arguments: variables("arguments")?,
        search: search.collect::<Option<_>>()?,
    };
    let seconds = u64::try_from(message.get("seconds")?.as_int()?).ok()?;
    Some(Request { program, seconds })
}

/// The child asks for a file.
pub(crate) fn question(path: &str) -> Value {
    object([("read", path.into())])
}

pub(crate) fn content(read: Result<Option<&[u8]>, String>) -> Value {
    match read {
        Ok(None) => Value::object(),
        Ok(Some(bytes)) => object([("content", STANDARD.encode(bytes).into())]),
        Err(problem) => object([("problem", problem.into())]),
    }
}

pub(crate) fn to_content(message: &Value) -> Result<Option<Vec<u8>>, String> {
    if let Some(problem) = message.str_at(&["problem"]) {
        return Err(problem.to_owned());
    }
    let Some(text) = message.str_at(&["content"]) else { return Ok(None) };
    STANDARD.decode(text).map(Some).map_err(|error| error.to_string())
}

pub(crate) fn of_result(result: &Result<String, JsonnetError>) -> Value {
    match result {
        Ok(json) => object([("json", json.as_str().into())]),
        Err(error) => {
            let places = error.trace.iter().map(|place| {
                list([
                    place.file.clone().into(),
                    i64::from(place.line).into(),
                    i64::from(place.column).into(),
                ])
            });
            object([("error", error.problem.as_str().into()), ("trace", list(places))])
        }
    }
}

pub(crate) fn to_result(message: &Value) -> Option<Result<String, JsonnetError>> {
    if let Some(json) = message.str_at(&["json"]) {
        return Some(Ok(json.to_owned()));
    }
    let place = |value: &Value| {
        let [file, line, column] = value.as_array()?.as_slice() else { return None };
        let number = |value: &Value| u32::try_from(value.as_int()?).ok();
        Some(Place { file: file.as_str()?.into(), line: number(line)?, column: number(column)? })
    };
    let trace = message.items_at(&["trace"]).iter().map(place).collect::<Option<_>>()?;
    Some(Err(JsonnetError { trace, ..JsonnetError::new(message.str_at(&["error"])?) }))
}
