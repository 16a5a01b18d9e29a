//! Go's `fmt` and `strconv`: how scalars print under each verb, flag, width and precision.
//!
//! Only scalars: what a list or a struct prints, and which argument belongs to which verb, is for whoever has
//! the values (the `gotemplate` crate). [`Formatter`] holds the flags of one verb and appends to a buffer of
//! bytes, since Go's strings need not be UTF-8.

mod float;
mod formatter;
mod quote;
mod rune;

pub use float::{append_float, format_float};
pub use formatter::{Flags, Formatter};
pub use quote::{append_quote, append_quote_rune, can_backquote, is_print, quote};
pub use rune::{append_rune, decode_last_rune, decode_rune, rune_count};
