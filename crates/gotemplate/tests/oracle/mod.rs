//! The data, objects and functions of `tools/oracle-template`, and the comparison with what it recorded.

use std::any::Any;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotemplate::value::ErrorText;
use gotemplate::{
    Context, Entry, Function, FunctionError, Functions, Kind, Limits, List, Map, Methods, MissingKey,
    NoWorld, Number, Object, Signature, Str, TemplateSet, Type, Value, types,
};
use serde_json::Value as Json;

/// One recorded answer.
pub(crate) struct Record {
    pub(crate) json: Json,
}

impl Record {
    pub(crate) fn parse(line: &str) -> Self {
        Self { json: serde_json::from_str(line).expect("the oracle writes JSON") }
    }

    fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    /// What the oracle printed, and its error.
    pub(crate) fn expected(&self) -> (Vec<u8>, String) {
        let out = match self.json["b64"].as_str() {
            Some(text) => STANDARD.decode(text).expect("base64"),
            None => self.text("out").as_bytes().to_vec(),
        };
        (out, self.text("err").to_owned())
    }

    /// What we print, and our error.
    pub(crate) fn actual(&self) -> (Vec<u8>, String) {
        let mut set = TemplateSet::new(functions()).named("root").missing_key(match self.text("m") {
            "zero" => MissingKey::Zero,
            "error" => MissingKey::Error,
            _ => MissingKey::Default,
        });
        set = set.delimiters(self.text("l"), self.text("r"));
        let templates = self.json["t"].as_array().expect("templates");
        for template in templates {
            let (name, text) = (template[0].as_str().unwrap(), template[1].as_str().unwrap());
            if let Err(error) = set.parse(name, text) {
                return (Vec::new(), error.to_string());
            }
        }
        let mut world = NoWorld::default();
        let limits = Limits { output: 8 << 20, steps: 3_000_000, ..Limits::default() };
        let mut context = Context::new(Arc::new(set), limits, &mut world);
        let mut out = Vec::new();
        let data = match &self.json["d"] {
            Json::Null => value(&serde_json::from_str(include_str!("../data/fixture.json")).unwrap()),
            data => value(data),
        };
        let result = context.execute_to(templates[0][0].as_str().unwrap(), &data, &mut out);
        (out, result.map_or_else(|error| error.to_string(), |()| String::new()))
    }
}

pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Float(number.as_f64().unwrap()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(map) => {
            if map.len() == 1 {
                let (key, of) = map.iter().next().unwrap();
                if let Some(kind) = key.strip_prefix('$') {
                    return special(kind, of);
                }
            }
            Value::Map(map.iter().map(|(key, of)| (key.as_str(), value(of))).collect())
        }
    }
}

fn special(kind: &str, of: &Json) -> Value {
    let int = of.as_f64().unwrap_or_default() as i64;
    let text = of.as_str().unwrap_or_default();
    match kind {
        "int" => Value::Int(int),
        "int8" => Value::Number(Number::Int8(int as i8)),
        "int32" => Value::Number(Number::Int32(int as i32)),
        "int64" => Value::Int64(int),
        "uint" => Value::Number(Number::Uint(int as u64)),
        "uint8" => Value::Number(Number::Uint8(int as u8)),
        "uint64" => Value::Number(Number::Uint64(int as u64)),
        "float32" => Value::Number(Number::Float32(of.as_f64().unwrap() as f32)),
        "complex" => Value::Number(Number::Complex128(of.as_f64().unwrap(), 1.0)),
        "bytes" => Value::Bytes(Str::from(STANDARD.decode(text).unwrap())),
        "binary" => Value::String(Str::from(STANDARD.decode(text).unwrap())),
        "strings" => Value::strings(of.as_array().unwrap().iter().map(|item| item.as_str().unwrap())),
        "ints" => {
            let items = of.as_array().unwrap().iter().map(|item| Value::Int(item.as_f64().unwrap() as i64));
            Value::List(List::typed(&types::INTS, items.collect()))
        }
        "smap" | "named" => {
            let entries =
                of.as_object().unwrap().iter().map(|(key, of)| (Str::from(key.as_str()), value(of)));
            let kind = if kind == "smap" { &types::STRING_MAP } else { &NAMED };
            Value::Map(Map::typed(kind, entries.collect()))
        }
        "nil" => match text {
            "slice" => Value::List(List::nil(&types::LIST)),
            "strings" => Value::List(List::nil(&types::STRINGS)),
            "map" => Value::Map(Map::nil(&types::MAP)),
            _ => Value::NilOf(&THING),
        },
        "error" => Value::object(ErrorText(Str::from(text))),
        "level" => Value::object(Level(int)),
        "thing" => Value::object(Thing { name: text.to_owned() }),
        "flat" => Value::object(Flat { name: text.to_owned() }),
        _ => panic!("no such kind: {kind}"),
    }
}

static THING: Type =
    Type::new("*main.Thing", Kind::Ptr).with_methods(&ThingMethods).with_fields(&["Name", "Count", "Tags"]);
static LEVEL: Type = Type::new("main.Level", Kind::Int).with_methods(&LevelMethods);
static ADD: Type = Type::new("func(int, int) int", Kind::Func);
static JOIN: Type = Type::new("func(string, ...string) string", Kind::Func);
static FAIL: Type = Type::new("func() (string, error)", Kind::Func);
static FLAT: Type = Type::new("main.Flat", Kind::Struct);
static NAMED: Type = Type::named("main.Named", &types::MAP).with_methods(&NamedMethods);

struct Thing {
    name: String,
}

impl Object for Thing {
    fn type_of(&self) -> &'static Type {
        &THING
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Name", Value::from(self.name.as_str())),
            ("Count", Value::Int(self.name.len() as i64)),
            ("Tags", Value::strings(["t1", &self.name])),
        ]
    }
}

struct ThingMethods;

impl Methods for ThingMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        static HELLO: Signature = Signature::fixed(&[&types::STRING]);
        static NONE: Signature = Signature::fixed(&[]);
        static SUM: Signature = Signature::variadic(&[], &types::INT);
        match name {
            "Hello" => Some(&HELLO),
            "Fail" | "Itself" => Some(&NONE),
            "Sum" => Some(&SUM),
            _ => None,
        }
    }

    fn call(&self, receiver: &Value, name: &str, _: &mut Context<'_>, arguments: &[Value]) -> Answer {
        match name {
            "Hello" => {
                let Some(thing) = receiver.downcast::<Thing>() else {
                    return Err("runtime error: invalid memory address or nil pointer dereference".into());
                };
                let to = arguments[0].as_string().unwrap();
                Ok(Value::string(joined(&[
                    "hello ".into(),
                    to.clone(),
                    " from ".into(),
                    thing.name.as_str().into(),
                ])))
            }
            "Itself" => Ok(receiver.clone()),
            "Sum" => Ok(Value::Int(arguments.iter().map(|n| n.as_int().unwrap()).sum())),
            _ => Err("thing fails".into()),
        }
    }
}

fn joined(parts: &[Str]) -> Str {
    Str::from(parts.iter().flat_map(|part| part.as_bytes()).copied().collect::<Vec<u8>>())
}

struct Level(i64);

impl Object for Level {
    fn type_of(&self) -> &'static Type {
        &LEVEL
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn text(&self) -> Option<Str> {
        Some(format!("level-{}", self.0).into())
    }
    fn scalar(&self) -> Option<Value> {
        Some(Value::Int(self.0))
    }
    fn with_scalar(&self, scalar: Value) -> Option<Value> {
        Some(Value::object(Level(scalar.as_int()?)))
    }
}

struct LevelMethods;

impl Methods for LevelMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        static NONE: Signature = Signature::fixed(&[]);
        (name == "String").then_some(&NONE)
    }

    fn call(&self, receiver: &Value, _: &str, _: &mut Context<'_>, _: &[Value]) -> Answer {
        Ok(receiver.downcast::<Level>().and_then(Object::text).map_or(Value::Nil, Value::String))
    }
}

struct Flat {
    name: String,
}

impl Object for Flat {
    fn type_of(&self) -> &'static Type {
        &FLAT
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Name", Value::from(self.name.as_str())), ("Any", Value::Nil)]
    }
    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| other.name == self.name)
    }
}

struct NamedMethods;

impl Methods for NamedMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        static NONE: Signature = Signature::fixed(&[]);
        (name == "Size").then_some(&NONE)
    }

    fn call(&self, receiver: &Value, _: &str, _: &mut Context<'_>, _: &[Value]) -> Answer {
        Ok(Value::Int(receiver.as_map().map_or(0, Map::len) as i64))
    }
}

type Answer = Result<Value, FunctionError>;

static FUNCTIONS: &[Entry] = &[
    Entry::new("add", Signature::fixed(&[&types::INT, &types::INT]), add),
    Entry::new("join", Signature::variadic(&[&types::STRING], &types::STRING), join),
    Entry::new("fail", Signature::fixed(&[&types::STRING]), |_, a| {
        Err(FunctionError::Message(a[0].as_string().unwrap().to_string()))
    }),
    Entry::new("null", Signature::fixed(&[]), |_, _| Ok(Value::Nil)),
    Entry::new("f64", Signature::fixed(&[&types::FLOAT64]), |_, a| Ok(a[0].clone())),
    Entry::new("i64", Signature::fixed(&[&types::INT64]), |_, a| Ok(a[0].clone())),
    Entry::new("u8", Signature::fixed(&[&types::UINT8]), |_, a| Ok(a[0].clone())),
    Entry::new("yes", Signature::fixed(&[&types::BOOL]), |_, a| Ok(a[0].clone())),
    Entry::new("id", Signature::fixed(&[&types::ANY]), |_, a| Ok(a[0].clone())),
    Entry::new("list", Signature::variadic(&[], &types::ANY), |_, a| Ok(list(&types::LIST, a))),
    Entry::new("strs", Signature::variadic(&[], &types::STRING), |_, a| Ok(list(&types::STRINGS, a))),
    Entry::new("ints", Signature::variadic(&[], &types::INT), |_, a| Ok(list(&types::INTS, a))),
    Entry::new("typeof", Signature::fixed(&[&types::ANY]), |_, a| Ok(Value::from(a[0].type_of().name))),
    Entry::new("dict", Signature::variadic(&[], &types::ANY), dict),
    Entry::new("set", Signature::fixed(&[&types::MAP, &types::STRING, &types::ANY]), set),
    Entry::new("keys", Signature::fixed(&[&types::MAP]), |_, a| {
        Ok(Value::Int(a[0].as_map().unwrap().len() as i64))
    }),
    Entry::new("first", Signature::fixed(&[&types::LIST]), |_, a| {
        a[0].as_list().unwrap().items().first().cloned().ok_or("empty".into())
    }),
    Entry::new("fn", Signature::fixed(&[&types::STRING]), function),
    Entry::new("include", Signature::fixed(&[&types::STRING, &types::ANY]), |cx, a| {
        let name = a[0].as_string().unwrap();
        Ok(Value::String(cx.execute(name, &a[1])?))
    }),
    Entry::new("tpl", Signature::fixed(&[&types::STRING, &types::ANY]), tpl),
];

fn list(kind: &'static Type, items: &[Value]) -> Value {
    Value::List(List::typed(kind, items.to_vec()))
}

fn add(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::Int(arguments[0].as_int().unwrap().wrapping_add(arguments[1].as_int().unwrap())))
}

fn join(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let parts = arguments[1..].iter().map(|part| part.as_string().unwrap().as_bytes().to_vec());
    Ok(Value::string(parts.collect::<Vec<_>>().join(arguments[0].as_string().unwrap().as_bytes())))
}

fn dict(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let pairs = arguments.chunks_exact(2).map(|pair| {
        let key = gotemplate::format::sprint(&pair[..1]).map_err(|error| error.to_string())?;
        Ok((key, pair[1].clone()))
    });
    Ok(Value::Map(pairs.collect::<Result<Vec<_>, String>>()?.into_iter().collect()))
}

fn set(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let map = arguments[0].as_map().unwrap();
    if map.is_nil() {
        return Err("assignment to entry in nil map".into());
    }
    let value = match &arguments[2] {
        Value::Map(_) | Value::List(_) | Value::Bytes(_) => {
            Value::from("a container, which could contain this map")
        }
        value => value.clone(),
    };
    map.insert(arguments[1].as_string().unwrap().clone(), value);
    // The function's result has the type of its parameter, whatever the argument was named.
    Ok(arguments[0].clone())
}

fn function(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let entry = match arguments[0].as_string().unwrap().as_str() {
        Some("add") => Function::from(&FUNCTIONS[0]).with_type(&ADD),
        Some("join") => Function::from(&FUNCTIONS[1]).with_type(&JOIN),
        Some("fail") => Function::new(Signature::fixed(&[]), |_, _| Err("called".into())).with_type(&FAIL),
        _ => return Ok(Value::Nil),
    };
    Ok(Value::Function(Arc::new(entry)))
}

fn tpl(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let text = arguments[0].as_string().unwrap();
    let shown = windlass_go::fmt::quote(text.as_bytes());
    let mut set = context.set().extend();
    let template =
        set.parse("tpl", text).map_err(|error| format!("cannot parse template {shown}: {error}"))?;
    let result = context.execute_template(&Arc::new(set), &template, &arguments[1]);
    match result {
        Ok(text) => Ok(Value::String(text)),
        Err(error) => Err(format!("error during tpl function execution for {shown}: {error}").into()),
    }
}

fn functions() -> Functions {
    let mut functions = Functions::builtin();
    functions.register(FUNCTIONS);
    functions
}
