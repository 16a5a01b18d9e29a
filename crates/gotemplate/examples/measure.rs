//! Measures parsing and executing a template like those of charts; `oracle-template measure` is Go's turn.

#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use gotemplate::{Entry, Functions, Limits, NoWorld, Numbers, Signature, TemplateSet, Value, types};

static FUNCTIONS: &[Entry] =
    &[Entry::new("include", Signature::fixed(&[&types::STRING, &types::ANY]), |context, arguments| {
        let Value::String(name) = &arguments[0] else { return Err("include: the name is no string".into()) };
        Ok(Value::String(context.execute(name, &arguments[1])?))
    })];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = include_str!("measure.tpl");
    let data = windlass_yaml::load(include_str!("measure.json"))?;
    let mut functions = Functions::builtin();
    functions.register(FUNCTIONS);
    let functions = Arc::new(functions);

    let parses = 200;
    let start = Instant::now();
    for _ in 0..parses {
        TemplateSet::new(Arc::clone(&functions)).parse("x", text)?;
    }
    let parse = start.elapsed() / parses;

    let mut set = TemplateSet::new(functions);
    set.parse("x", text)?;
    let set = Arc::new(set);
    let mut world = NoWorld::default();
    let value = Value::from_yaml(&data, Numbers::Float64);
    let printed = set.execute("x", &value, Limits::default(), &mut world)?;
    let rounds = 500;
    let start = Instant::now();
    for _ in 0..rounds {
        set.execute("x", &value, Limits::default(), &mut world)?;
    }
    let execute = start.elapsed() / rounds;
    println!("parse {parse:?}, execute {execute:?}, {} bytes", printed.len());
    Ok(())
}
