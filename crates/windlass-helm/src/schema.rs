//! `values.schema.json`: which values a chart allows.
//!
//! Helm validates with santhosh-tekuri/jsonschema 6, and users read its messages; so what is here follows its
//! steps and its words, for drafts 4 to 2020-12. Where Go walks a map in random order, members come sorted here.
//! Schemas elsewhere are not fetched: a reference to one is an error that says so.

mod document;
mod failure;
mod format;
mod validator;

use gotemplate::{Map, Value};

use crate::values::dependencies::Node;

/// Values that a schema forbids: a paragraph for each chart, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(String);

/// Validates the values of a chart and of those inside it.
pub(crate) fn validate(root: &Node<'_>, values: &Map) -> Result<(), SchemaError> {
    let mut text = String::new();
    chart(root, values, &mut text);
    if text.is_empty() { Ok(()) } else { Err(SchemaError(text)) }
}

fn chart(node: &Node<'_>, values: &Map, text: &mut String) {
    if let Some(schema) = &node.chart.schema
        && let Err(problem) = single(schema, values)
    {
        text.push_str(&node.name);
        text.push_str(":\n");
        text.push_str(&problem);
    }
    for child in &node.children {
        match values.get(child.name.as_str()) {
            None | Some(Value::Nil) => {}
            Some(Value::Map(inner)) => chart(child, &inner, text),
            Some(other) => {
                let found = other.type_of().name;
                text.push_str(&format!(
                    "{}:\ninvalid type for values: expected object (map), got {found}\n",
                    child.name
                ));
            }
        }
    }
}

/// Validates against one schema; the error ends with a line break if it is about the values.
fn single(schema: &[u8], values: &Map) -> Result<(), String> {
    let document = document::Document::parse(schema)?;
    let failure = validator::validate(&document, &Value::Map(values.clone()))?;
    match failure {
        None => Ok(()),
        Some(failure) => Err(format!("{}\n", failure.shown())),
    }
}
