//! Every overload of every function, recorded from kube-apiserver's own environment.

use crate::types::Type;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What only mutating policies may call; kube-apiserver's environment for everything else does not declare it.
const ESCAPE_KEY: &str = "jsonpatch.escapeKey\tstring_jsonpatch_escapeKey_string\tfunction\tstring\tstring";

/// One way of calling a function.
#[derive(Debug)]
pub(crate) struct Overload {
    /// Its name in cel-go, by which costs are looked up.
    pub(crate) id: &'static str,
    /// Whether the first argument stands before a dot.
    pub(crate) is_member: bool,
    pub(crate) arguments: Vec<Type>,
    pub(crate) result: Type,
    /// The names of its placeholders.
    pub(crate) parameters: Vec<String>,
}

/// The overloads of a function, in the order in which they are tried.
pub(crate) fn overloads(function: &str) -> Option<&'static [Overload]> {
    static TABLE: LazyLock<HashMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
        let mut table: HashMap<&str, Vec<Overload>> = HashMap::new();
        for line in include_str!("declarations.tsv").lines().chain([ESCAPE_KEY]) {
            let mut columns = line.split('\t');
            let mut column = || columns.next().expect("a recorded line has five columns");
            let (function, id, style, arguments, result) = (column(), column(), column(), column(), column());
            let arguments: Vec<Type> = match arguments {
                "" => Vec::new(),
                arguments => arguments.split(';').map(Type::parse).collect(),
            };
            let mut overload = Overload {
                id,
                is_member: style == "member",
                arguments,
                result: Type::parse(result),
                parameters: Vec::new(),
            };
            for ty in overload.arguments.iter().chain([&overload.result]) {
                placeholders(ty, &mut overload.parameters);
            }
            table.entry(function).or_default().push(overload);
        }
        table
    });
    TABLE.get(function.strip_prefix('.').unwrap_or(function)).map(Vec::as_slice)
}

fn placeholders(ty: &Type, names: &mut Vec<String>) {
    if let Type::Param(name) = ty
        && !names.iter().any(|known| **known == **name)
    {
        names.push(name.to_string());
    }
    for parameter in ty.parameters() {
        placeholders(parameter, names);
    }
}
