//! Variables: `$(NAME)` in texts.

use std::fmt;

use smol_str::SmolStr;

use super::field_spec::{FieldSpec, apply_settled};
use crate::error::{Error, Result};
use crate::node::{Kind, Node, Scalar, Style, Tag};

/// What a variable stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableValue {
    /// A text.
    Text(SmolStr),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Bool(bool),
}

impl fmt::Display for VariableValue {
    /// As it stands inside of a longer text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => f.write_str(&super::go_float(*float)),
            Self::Bool(bool) => bool.fmt(f),
        }
    }
}

/// Expands the variables in a text. `value` says what a name stands for; an unknown name stays as it is
/// written. `$$` is one dollar. A text that is nothing but one variable takes over its type.
pub fn expand(text: &str, value: &mut dyn FnMut(&str) -> Option<VariableValue>) -> VariableValue {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$').filter(|at| at + 1 < rest.len()) {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.as_bytes()[0] {
            b'$' => {
                expanded.push('$');
                &after[1..]
            }
            b'(' => match after.find(')') {
                Some(end) => {
                    let name = &after[1..end];
                    let found = value(name);
                    if text.len() == end + 2 && at == 0 {
                        return found.unwrap_or_else(|| VariableValue::Text(text.into()));
                    }
                    match found {
                        Some(found) => expanded.push_str(&found.to_string()),
                        None => expanded.push_str(&rest[at..at + end + 2]),
                    }
                    &after[end + 1..]
                }
                None => {
                    expanded.push_str("$(");
                    &after[1..]
                }
            },
            _ => {
                let first = after.chars().next().map_or(0, char::len_utf8);
                expanded.push_str(&rest[at..=at + first]);
                &after[first..]
            }
        };
    }
    expanded.push_str(rest);
    VariableValue::Text(expanded.into())
}

/// Expands the variables in the fields that a spec means: in a text, in the values of a map, in the items of a
/// list.
///
/// # Errors
/// Keys of such a map or items of such a list that are no strings.
pub fn apply_variables(
    node: &mut Node,
    spec: &FieldSpec,
    value: &mut dyn FnMut(&str) -> Option<VariableValue>,
) -> Result<()> {
    apply_settled(node, std::slice::from_ref(spec), None, &mut |field| {
        if field.is_null() {
            return Ok(());
        }
        match field {
            Node::Scalar(scalar) => expand_scalar(scalar, value),
            Node::Mapping(members) => {
                for (key, member) in members {
                    if !key.is_string() {
                        let words =
                            format!("invalid map key: value='{}', tag='{}'", key.value, key.tag.short());
                        return Err(Error::invalid(words));
                    }
                    if let Node::Scalar(scalar) = member {
                        expand_scalar(scalar, value);
                    }
                }
            }
            Node::Sequence(items) => {
                for item in items {
                    match item {
                        Node::Scalar(scalar) if scalar.is_string() => expand_scalar(scalar, value),
                        _ => return Err(Error::invalid("invalid value type expect a string")),
                    }
                }
            }
        }
        Ok(())
    })
}

/// Expands a string; anything else stays.
fn expand_scalar(scalar: &mut Scalar, value: &mut dyn FnMut(&str) -> Option<VariableValue>) {
    if !scalar.is_string() {
        return;
    }
    let expanded = expand(&scalar.value, value);
    let (text, tag) = match expanded {
        VariableValue::Text(text) => (text, Tag::Str),
        VariableValue::Int(int) => (int.to_string().into(), Tag::Int),
        VariableValue::Bool(bool) => (bool.to_string().into(), Tag::Bool),
        VariableValue::Float(float) => (format!("{float}").into(), Tag::Float),
    };
    *scalar = Scalar { value: text, tag, style: Style::Plain, shared: scalar.shared, ..Scalar::default() };
}

/// The value of a scalar as a variable takes it; nothing of maps and lists, which no variable can stand for.
///
/// # Errors
/// A text that its tag does not fit.
pub fn variable_value(node: &Node) -> Result<Option<VariableValue>> {
    let Node::Scalar(scalar) = node else { return Ok(None) };
    debug_assert_eq!(node.kind(), Kind::Scalar);
    let text = scalar.value.as_str();
    let syntax =
        |function: &str| Error::invalid(format!("strconv.{function}: parsing {text:?}: invalid syntax"));
    Ok(Some(match scalar.tag {
        Tag::Int => VariableValue::Int(text.parse().map_err(|_| syntax("Atoi"))?),
        Tag::Float => VariableValue::Float(text.parse().map_err(|_| syntax("ParseFloat"))?),
        Tag::Bool => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => VariableValue::Bool(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => VariableValue::Bool(false),
            _ => return Err(syntax("ParseBool")),
        },
        _ => VariableValue::Text(scalar.value.clone()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands() {
        let mut value = |name: &str| match name {
            "A" => Some(VariableValue::Text("x".into())),
            "N" => Some(VariableValue::Int(5)),
            _ => None,
        };
        let mut text = |input: &str| expand(input, &mut value).to_string();
        assert_eq!(text("a$(A)b$(N)$(U)"), "axb5$(U)");
        assert_eq!(text("$$(A) $x $( $"), "$(A) $x $( $");
        assert_eq!(text("$(A"), "$(A");
        assert_eq!(text("$(U)"), "$(U)");
        assert_eq!(expand("$(N)", &mut value), VariableValue::Int(5));
    }
}
