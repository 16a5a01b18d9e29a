//! What a call costs when it is made, as Kubernetes' and cel-go's trackers count it.

use crate::evaluate::{Evaluated, Fault};
use crate::value::Value;

/// How much of a unit a character costs that is looked at.
const TRAVERSAL: f64 = 0.1;
/// How much of a unit a character of a pattern costs.
const PATTERN: f64 = 0.25;

/// The size that a result counts with.
pub(crate) fn size(value: &Evaluated) -> u64 {
    value.as_ref().map_or(1, Value::size)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as in cel-go"
)]
fn scaled(size: u64, factor: f64) -> u64 {
    (size as f64 * factor).ceil() as u64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as in cel-go"
)]
fn truncated(size: u64, factor: f64) -> u64 {
    (size as f64 * factor) as u64
}

/// What must be known of the arguments before the call takes them.
pub(crate) struct Charge {
    traversal: u64,
    /// Of the first argument of `==`: compared at once, whatever its size.
    is_unit: bool,
    depth: Option<i64>,
    longest_pattern: u64,
    is_text: bool,
}

impl Charge {
    pub(crate) fn before(function: &str, arguments: &[Evaluated]) -> Self {
        let first = arguments.first().and_then(|value| value.as_ref().ok());
        let traversal = match function {
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => first.map_or(1, traversal),
            _ => 0,
        };
        let is_unit = matches!(
            first,
            Some(
                Value::Quantity(_)
                    | Value::Ip(_)
                    | Value::Cidr(..)
                    | Value::Format(_)
                    | Value::Url(_)
                    | Value::Semver(_)
            )
        );
        let depth = match arguments.get(1) {
            Some(Ok(Value::Int(depth))) => Some(*depth),
            _ => None,
        };
        let longest_pattern = match first {
            Some(Value::Format(format)) => format.longest_pattern,
            _ => 0,
        };
        let compared = if function == "@sortByAssociatedKeys" { arguments.get(1) } else { arguments.first() };
        let is_text = match compared {
            Some(Ok(Value::List(list))) => matches!(list.get(0), Some(Value::String(_) | Value::Bytes(_))),
            _ => false,
        };
        Self { traversal, is_unit, depth, longest_pattern, is_text }
    }

    pub(crate) fn cost(
        &self,
        function: &str,
        overload: &str,
        sizes: &[u64],
        result: &Result<Value, Fault>,
    ) -> u64 {
        let arg = |idx: usize| sizes.get(idx).copied().unwrap_or(1);
        // First what has its own tracker by overload.
        match overload {
            "list_sets_contains_list" | "list_sets_intersects_list" => {
                return 1 + arg(0).saturating_mul(arg(1));
            }
            "list_sets_equivalent_list" => return 1 + truncated(arg(0).saturating_mul(arg(1)), 2.0),
            "list_slice" | "lists_range" | "list_reverse" => return 11 + size(result),
            "list_flatten" => return 11 + arg(0),
            #[expect(clippy::cast_precision_loss, reason = "as in cel-go")]
            "list_flatten_int" => {
                return truncated(arg(0), self.depth.unwrap_or(1) as f64).saturating_add(11);
            }
            "list_distinct" => return self.self_compare(arg(0)),
            _ if overload.starts_with("list_") && overload.ends_with("_sort") => {
                return self.self_compare(arg(0));
            }
            _ if overload.ends_with("_sortByAssociatedKeys") => return self.self_compare(arg(1)),
            _ => {}
        }
        match function {
            "check" => 350_000,
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => self.traversal,
            "url"
            | "lowerAscii"
            | "upperAscii"
            | "substring"
            | "trim"
            | "jsonpatch.escapeKey"
            | "cidr"
            | "isIP"
            | "isCIDR"
            | "quantity"
            | "isQuantity"
            | "semver"
            | "isSemver" => scaled(arg(0), TRAVERSAL),
            "ip" if overload == "cidr_ip" => 1,
            "ip" => scaled(arg(0), TRAVERSAL),
            "replace" | "split" | "ip.isCanonical" => scaled(arg(0), 2.0 * TRAVERSAL),
            "join" => scaled(size(result), 2.0 * TRAVERSAL),
            "find" | "findAll" => scaled(arg(0) + 1, TRAVERSAL) * scaled(arg(1), PATTERN),
            "containsIP" => {
                let parse = if overload == "cidr_contains_ip_string" { scaled(arg(1), TRAVERSAL) } else { 0 };
                scaled(arg(0) * 2, TRAVERSAL) + parse
            }
            "containsCIDR" => {
                let parse =
                    if overload == "cidr_contains_cidr_string" { scaled(arg(1), TRAVERSAL) } else { 0 };
                scaled(arg(0) * 2, TRAVERSAL) + scaled(arg(0), TRAVERSAL) + 1 + parse
            }
            "validate" => scaled(arg(1) + 1, TRAVERSAL) * scaled(self.longest_pattern, PATTERN),
            "_==_" if self.is_unit => 1,
            "_==_" | "_!=_" => scaled(arg(0).min(arg(1)), TRAVERSAL),
            _ => standard(overload, arg(0), arg(1)),
        }
    }

    fn self_compare(&self, size: u64) -> u64 {
        let factor = if self.is_text && size > 0 { 2.0 + TRAVERSAL } else { 2.0 };
        truncated(size.saturating_mul(size), factor).saturating_add(11)
    }
}

fn standard(overload: &str, first: u64, second: u64) -> u64 {
    match overload {
        "starts_with_string" | "ends_with_string" | "string_to_bytes" | "bytes_to_string"
        | "strings_quote" | "string_format" => scaled(first, TRAVERSAL),
        "in_list" => second,
        "less_string"
        | "greater_string"
        | "less_equals_string"
        | "greater_equals_string"
        | "less_bytes"
        | "greater_bytes"
        | "less_equals_bytes"
        | "greater_equals_bytes" => scaled(first.min(second), TRAVERSAL),
        "add_string" | "add_bytes" => scaled(first + second, TRAVERSAL),
        "matches_string" => scaled(first + 1, TRAVERSAL) * scaled(second, PATTERN),
        "contains_string" => scaled(first, TRAVERSAL) * scaled(second, TRAVERSAL),
        _ => 1,
    }
}

fn traversal(value: &Value) -> u64 {
    match value {
        Value::String(text) => truncated(text.len() as u64, TRAVERSAL),
        Value::Bytes(bytes) => truncated(bytes.len() as u64, TRAVERSAL),
        Value::List(list) => list.iter().map(|item| traversal(&item)).sum(),
        Value::Map(map) => map.entries().iter().map(|(key, value)| traversal(key) + traversal(value)).sum(),
        _ => 1,
    }
}
