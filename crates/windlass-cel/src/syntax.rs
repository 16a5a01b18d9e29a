//! From text to a tree: tokens, the grammar, the macros.

pub(crate) mod ast;
mod lexer;
mod macros;
mod parser;
mod unquote;

pub(crate) use parser::parse;
