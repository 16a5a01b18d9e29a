//! Functions of the standard library that answer as go-jsonnet's do.

use rsjsonnet_lang::interner::InternedStr;
use rsjsonnet_lang::program::{NativeError, Program, Value};
use windlass_yaml::Value as Tree;

/// The native function behind `std.parseYaml`.
const PARSE_YAML: &str = "windlass.parseYaml";

/// What stands before the text of each file, on its first line: `std` with some functions replaced.
///
/// - `base64` takes text for its UTF-8, and `base64Decode` gives it back; here each character was a byte.
/// - `makeArray` of less than nothing is empty.
/// - `parseYaml` knows YAML 1.1, as `sigs.k8s.io/yaml` does.
pub(super) const PREFIX: &str = concat!(
    "local windlassStd = std; local std = windlassStd {",
    "base64(input):: if windlassStd.isString(input) && windlassStd.base64(input) != '' ",
    "then windlassStd.base64(windlassStd.encodeUTF8(input)) else windlassStd.base64(input),",
    "base64Decode(str):: windlassStd.decodeUTF8(windlassStd.base64DecodeBytes(str)),",
    "makeArray(sz, func):: if windlassStd.isNumber(sz) && sz < 0 then [] else windlassStd.makeArray(sz, func),",
    "parseYaml(str):: windlassStd.native('windlass.parseYaml')(str),",
    "}; "
);

/// Makes the native functions known.
pub(super) fn register(machine: &mut Program<'_>) {
    let (name, parameter) = (machine.intern_str(PARSE_YAML), machine.intern_str("str"));
    machine.register_native_func(name, &[parameter]);
}

/// Calls a native function; `problem` says why it fails.
pub(super) fn call<'p>(
    machine: &mut Program<'p>,
    name: InternedStr<'p>,
    arguments: &[Value<'p>],
    problem: &mut String,
) -> Result<Value<'p>, NativeError> {
    let text = arguments.first().and_then(Value::to_string);
    let Some(text) = text.filter(|_| name.value() == PARSE_YAML) else {
        *problem = "parseYaml takes a string".into();
        return Err(NativeError);
    };
    match parse_yaml(&text) {
        Ok(tree) => Ok(value(machine, &tree)),
        Err(error) => {
            *problem = format!("failed to parse YAML: {error}");
            Err(NativeError)
        }
    }
}

/// A list when there is a document marker, else the one document.
fn parse_yaml(text: &str) -> Result<Tree, windlass_yaml::YamlError> {
    let mut documents = Vec::new();
    let mut document = String::new();
    let mut is_stream = false;
    for line in text.lines() {
        let marker = line.strip_prefix("---");
        if marker.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
            is_stream = true;
            if !document.is_empty() {
                documents.push(windlass_yaml::load(&document)?);
                document.clear();
            }
        }
        document.push_str(line);
        document.push('\n');
    }
    if !document.is_empty() {
        documents.push(windlass_yaml::load(&document)?);
    }
    Ok(if is_stream {
        Tree::Array(documents.into_iter().collect())
    } else {
        documents.pop().unwrap_or_default()
    })
}

fn value<'p>(machine: &mut Program<'p>, tree: &Tree) -> Value<'p> {
    match tree {
        Tree::Null => Value::null(),
        Tree::Bool(value) => Value::bool(*value),
        #[expect(clippy::cast_precision_loss, reason = "all numbers of Jsonnet are such")]
        Tree::Int(number) => Value::number(*number as f64),
        Tree::Float(number) => Value::number(*number),
        Tree::String(text) => Value::string(text),
        Tree::Array(items) => {
            let items: Vec<_> = items.as_slice().iter().map(|item| value(machine, item)).collect();
            machine.make_array(&items)
        }
        Tree::Object(members) => {
            let mut fields = Vec::with_capacity(members.len());
            for (name, member) in members.iter() {
                fields.push((machine.intern_str(name), value(machine, member)));
            }
            machine.make_object(&fields)
        }
    }
}
