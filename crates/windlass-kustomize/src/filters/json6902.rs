//! JSON patches (RFC 6902), as kustomize applies them: to JSON made of the object, which is then read anew.
//!
//! So a patched object forgets how its scalars were written, and numbers have gone through a float.

use windlass_kube::json_patch;
use windlass_yaml::{Map, Value};

use super::growth::MAX_OBJECT_NODES;
use crate::error::{Error, Result};
use crate::node::{Node, Scalar, Tag};

/// A list of operations.
#[derive(Clone, Debug)]
pub struct Patch(Value);

impl Patch {
    /// Reads a patch, in JSON if it begins with `[`, else in YAML.
    ///
    /// # Errors
    /// A text that is neither, or no list of maps.
    pub fn parse(text: &str) -> Result<Self> {
        let operations = if text.starts_with('[') {
            windlass_yaml::json::parse(text.as_bytes()).map_err(|error| Error::invalid(error.to_string()))?
        } else {
            windlass_yaml::load(text).map_err(|error| Error::invalid(error.to_string()))?
        };
        let refused = |value: &Value, go_type: &str| {
            let found = match value.type_name() {
                "boolean" => "bool",
                "integer" => "number",
                other => other,
            };
            Error::invalid(format!("json: cannot unmarshal {found} into Go value of type {go_type}"))
        };
        match &operations {
            Value::Array(items) => {
                for item in items.iter() {
                    if !matches!(item, Value::Object(_) | Value::Null) {
                        return Err(refused(item, "jsonpatch.Operation"));
                    }
                }
            }
            Value::Null => {}
            other => return Err(refused(other, "jsonpatch.Patch")),
        }
        Ok(Self(operations))
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_array().map_or(0, |items| items.len())
    }

    /// Whether there are no operations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Patches an object.
    ///
    /// # Errors
    /// An operation that does not apply, in the words of the library that kustomize uses; an object that is no
    /// JSON, or a result that is no map.
    pub fn apply(&self, node: &mut Node) -> Result<()> {
        let document = node.to_value()?;
        let patched =
            json_patch::apply(&document, &self.0).map_err(|error| Error::invalid(error.to_string()))?;
        match &patched {
            Value::Object(map) => *node = from_map(map, &mut Budget(MAX_OBJECT_NODES))?,
            Value::Null => *node = Node::map(),
            _ => {
                let words = "json: cannot unmarshal array into Go value of type map[string]interface {}";
                return Err(Error::invalid(words));
            }
        }
        Ok(())
    }
}

/// How many nodes may still be made: operations that copy may double an object each time.
struct Budget(usize);

impl Budget {
    fn take(&mut self) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| {
            Error::limit(format!(
                "the JSON patch makes an object of more than the limit MAX_OBJECT_NODES of {MAX_OBJECT_NODES} nodes"
            ))
        })?;
        Ok(())
    }
}

fn from_map(map: &Map, budget: &mut Budget) -> Result<Node> {
    budget.take()?;
    let mut members = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        let Node::Scalar(key) = Node::from_value(&Value::String(key.clone())) else {
            unreachable!("a text is a scalar");
        };
        members.push((key, from_value(value, budget)?));
    }
    Ok(Node::Mapping(members))
}

fn from_value(value: &Value, budget: &mut Budget) -> Result<Node> {
    budget.take()?;
    Ok(match value {
        #[expect(clippy::cast_precision_loss, reason = "what Go's JSON decoder does with a number")]
        Value::Int(int) => number(*int as f64),
        Value::Float(float) => number(*float),
        Value::Array(items) => {
            Node::Sequence(items.iter().map(|item| from_value(item, budget)).collect::<Result<_>>()?)
        }
        Value::Object(map) => return from_map(map, budget),
        other => Node::from_value(other),
    })
}

/// A number as yaml.v3 prints a float.
fn number(float: f64) -> Node {
    let text = super::go_float(float);
    let tag = if text.contains(['e', '.']) { Tag::Float } else { Tag::Int };
    Node::Scalar(Scalar { value: text.into(), tag, ..Scalar::default() })
}
