//! What a value is.

use crate::function::{Entry, Signature};
use crate::value::Value;

use super::arguments::{ANY, STRING, any, text};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("typeOf", Signature::fixed(&[ANY]), |_, arguments| Ok(type_name(any(arguments, 0)).into())),
    Entry::new("kindOf", Signature::fixed(&[ANY]), |_, arguments| Ok(any(arguments, 0).kind().name().into())),
    Entry::new("typeIs", Signature::fixed(&[STRING, ANY]), |_, arguments| {
        Ok((*text(arguments, 0) == *type_name(any(arguments, 1))).into())
    }),
    Entry::new("kindIs", Signature::fixed(&[STRING, ANY]), |_, arguments| {
        Ok((*text(arguments, 0) == *any(arguments, 1).kind().name()).into())
    }),
    Entry::new("typeIsLike", Signature::fixed(&[STRING, ANY]), |_, arguments| {
        let (target, name) = (text(arguments, 0), type_name(any(arguments, 1)));
        let is_pointer_to = name.strip_prefix('*').is_some_and(|name| *target == *name);
        Ok((*target == *name || is_pointer_to).into())
    }),
];

fn type_name(value: &Value) -> &'static str {
    value.type_of().name
}
