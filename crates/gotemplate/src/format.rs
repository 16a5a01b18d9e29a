//! Prints values as Go's `fmt` does: the walk over values. How scalars print is in `windlass_go::fmt`.

mod printf;

use windlass_go::fmt::Formatter;

use crate::stack;
use crate::value::{Kind, List, MAX_VALUE_DEPTH, Map, Number, Object, Type, Value};

pub(crate) use printf::sprint_indirect;
pub use printf::{sprint, sprintf, sprintln};

/// Why values could not be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrintError {
    /// They nest deeper than [`MAX_VALUE_DEPTH`]; perhaps one contains itself.
    #[error("value nests deeper than {MAX_VALUE_DEPTH} levels")]
    TooDeep,
    /// The text is longer than [`MAX_PRINTED`].
    #[error("printed value is longer than {MAX_PRINTED} bytes")]
    TooLong,
    /// `%p` was asked for, which is another number each time.
    #[error("addresses are not printed")]
    Address,
}

/// The longest text that printing makes, in bytes: a value that refers to others many times can be longer than
/// any memory.
pub const MAX_PRINTED: usize = 64 << 20;

/// What stands for the address of a function or a nested pointer, which in Go is another one each time.
const ADDRESS: u64 = 0xc0_0000_0000;

/// Appends `value` as `fmt.Fprint` prints it alone.
///
/// # Errors
/// If it is too deep or too long.
pub fn print(to: &mut Vec<u8>, value: &Value) -> Result<(), PrintError> {
    let mut printer = Printer::new(to);
    printer.argument(value, 'v');
    printer.finish()
}

/// Appends `value` as an action prints it: what a pointer points to, not the pointer.
pub(crate) fn print_indirect(to: &mut Vec<u8>, value: &Value) -> Result<(), PrintError> {
    let mut printer = Printer::new(to);
    printer.is_indirect = true;
    printer.argument(value, 'v');
    printer.finish()
}

/// Appends `value`; of a pointer the struct behind it, which has no methods of its own.
pub(crate) fn print_struct(to: &mut Vec<u8>, value: &Value) -> Result<(), PrintError> {
    let mut printer = Printer::new(to);
    printer.is_indirect = true;
    printer.is_complaining = value.kind() == Kind::Ptr;
    printer.value(value, 'v', 0);
    printer.finish()
}

struct Printer<'a> {
    out: Formatter<'a>,
    start: usize,
    /// Whether a complaint about a verb is being printed: no methods are called for it.
    is_complaining: bool,
    /// Whether a pointer that is an argument prints as what it points to.
    is_indirect: bool,
    error: Option<PrintError>,
}

impl<'a> Printer<'a> {
    fn new(to: &'a mut Vec<u8>) -> Self {
        let start = to.len();
        Self { out: Formatter::new(to), start, is_complaining: false, is_indirect: false, error: None }
    }

    fn finish(self) -> Result<(), PrintError> {
        self.error.map_or(Ok(()), Err)
    }

    fn write(&mut self, text: &str) {
        self.out.write(text);
    }

    /// Prints an argument: what `printArg` of Go's `fmt` does.
    fn argument(&mut self, value: &Value, verb: char) {
        match value {
            Value::NoValue | Value::Nil => match verb {
                'T' | 'v' => self.out.pad(b"<nil>"),
                _ => self.complain(None, verb),
            },
            _ if verb == 'T' => {
                let name = value.type_of().name;
                let _ = self.out.string(name.as_bytes(), 's');
            }
            _ if verb == 'p' && is_pointer(value.kind()) => self.error = Some(PrintError::Address),
            Value::Bytes(bytes) => self.bytes(value, bytes.as_bytes(), verb, "[]byte"),
            // Only `Errorf` wraps.
            _ if verb == 'w' => self.complain(Some(value), verb),
            _ => self.value(value, verb, 0),
        }
    }

    /// Prints a value somewhere inside an argument: what `printValue` does.
    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if self.error.is_some() {
            return;
        }
        let fits = match value {
            Value::NoValue | Value::Nil => {
                self.write(if self.out.flags.sharp_v { "interface {}(nil)" } else { "<nil>" });
                true
            }
            Value::Bool(bool) => self.out.boolean(*bool, verb),
            Value::Int(int) | Value::Int64(int) => self.out.signed(*int, verb),
            Value::Float(float) => self.out.float(*float, 64, verb),
            Value::Number(number) => self.number(*number, verb),
            Value::String(text) => self.out.string(text.as_bytes(), verb),
            Value::Bytes(bytes) => {
                if matches!(verb, 's' | 'q' | 'x' | 'X') {
                    self.bytes(value, bytes.as_bytes(), verb, "[]uint8");
                } else {
                    self.items(value.type_of(), byte_values(bytes.as_bytes()), verb, depth);
                }
                true
            }
            Value::List(_) | Value::Map(_) | Value::Object(_) => {
                if depth > MAX_VALUE_DEPTH {
                    self.error = Some(PrintError::TooDeep);
                } else if self.out.to.len() - self.start > MAX_PRINTED {
                    self.error = Some(PrintError::TooLong);
                } else {
                    stack::deepen(|| self.container(value, verb, depth));
                }
                true
            }
            Value::Function(_) => self.pointer(value, ADDRESS, verb),
            Value::NilOf(_) => self.pointer(value, 0, verb),
        };
        if !fits {
            self.complain(Some(value), verb);
        }
    }

    fn container(&mut self, value: &Value, verb: char, depth: usize) {
        match value {
            Value::List(list) => self.list(list, verb, depth),
            Value::Map(map) => self.map(map, verb, depth),
            Value::Object(object) => self.object(value, object.as_ref(), verb, depth),
            _ => {}
        }
    }

    /// Prints `%!verb(type=value)`.
    fn complain(&mut self, value: Option<&Value>, verb: char) {
        self.is_complaining = true;
        self.write("%!");
        self.write(verb.encode_utf8(&mut [0; 4]));
        self.write("(");
        match value {
            Some(value) => {
                self.write(value.type_of().name);
                self.write("=");
                self.argument(value, 'v');
            }
            None => self.write("<nil>"),
        }
        self.write(")");
        self.is_complaining = false;
    }

    fn number(&mut self, number: Number, verb: char) -> bool {
        match number {
            Number::Int8(int) => self.out.signed(i64::from(int), verb),
            Number::Int16(int) => self.out.signed(i64::from(int), verb),
            Number::Int32(int) => self.out.signed(i64::from(int), verb),
            Number::Uint(uint) | Number::Uint64(uint) => self.out.unsigned(uint, verb),
            Number::Uint8(uint) => self.out.unsigned(u64::from(uint), verb),
            Number::Uint16(uint) => self.out.unsigned(u64::from(uint), verb),
            Number::Uint32(uint) => self.out.unsigned(u64::from(uint), verb),
            Number::Float32(float) => self.out.float(f64::from(float), 32, verb),
            Number::Complex128(real, imaginary) => self.out.complex(real, imaginary, verb),
        }
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char, name: &str) {
        match verb {
            'v' | 'd' if self.out.flags.sharp_v => {
                self.write(name);
                self.write("{");
                for (index, byte) in bytes.iter().enumerate() {
                    self.write(if index > 0 { ", " } else { "" });
                    self.out.hexadecimal(u64::from(*byte), true);
                }
                self.write("}");
            }
            'v' | 'd' => {
                self.write("[");
                for (index, byte) in bytes.iter().enumerate() {
                    self.write(if index > 0 { " " } else { "" });
                    self.out.decimal_byte(*byte, verb);
                }
                self.write("]");
            }
            's' | 'x' | 'X' | 'q' => {
                let _ = self.out.string(bytes, verb);
            }
            _ => self.items(value.type_of(), byte_values(bytes), verb, 0),
        }
    }

    fn list(&mut self, list: &List, verb: char, depth: usize) {
        if self.out.flags.sharp_v && list.is_nil() {
            self.write(list.type_of().name);
            return self.write("(nil)");
        }
        self.items(list.type_of(), list.items().iter().cloned(), verb, depth);
    }

    fn items(&mut self, kind: &Type, items: impl Iterator<Item = Value>, verb: char, depth: usize) {
        let sharp_v = self.out.flags.sharp_v;
        if sharp_v {
            self.write(kind.name);
        }
        self.write(if sharp_v { "{" } else { "[" });
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.write(if sharp_v { ", " } else { " " });
            }
            self.value(&item, verb, depth + 1);
        }
        self.write(if sharp_v { "}" } else { "]" });
    }

    fn map(&mut self, map: &Map, verb: char, depth: usize) {
        let sharp_v = self.out.flags.sharp_v;
        if sharp_v {
            self.write(map.type_of().name);
            if map.is_nil() {
                return self.write("(nil)");
            }
            self.write("{");
        } else {
            self.write("map[");
        }
        for (index, (key, value)) in map.entries().into_iter().enumerate() {
            if index > 0 {
                self.write(if sharp_v { ", " } else { " " });
            }
            self.value(&Value::String(key), verb, depth + 1);
            self.write(":");
            self.value(&value, verb, depth + 1);
        }
        self.write(if sharp_v { "}" } else { "]" });
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        let is_textual = matches!(verb, 'v' | 's' | 'x' | 'X' | 'q');
        if is_textual
            && !self.is_complaining
            && !self.out.flags.sharp_v
            && let Some(text) = object.text()
        {
            let _ = self.out.string(text.as_bytes(), verb);
            return;
        }
        if let Some(scalar) = object.scalar() {
            if !self.fits(&scalar, verb) {
                self.complain_as(value.type_of(), &scalar, verb);
            }
            return;
        }
        let kind = object.type_of();
        if kind.kind == Kind::Ptr {
            if depth > 0 {
                if !self.pointer(value, ADDRESS, verb) {
                    self.complain(Some(value), verb);
                }
                return;
            }
            if !self.is_indirect {
                self.write("&");
            }
        }
        if self.out.flags.sharp_v {
            self.write(kind.name.trim_start_matches('*'));
        }
        self.write("{");
        for (index, (name, field)) in object.fields().into_iter().enumerate() {
            if index > 0 {
                self.write(if self.out.flags.sharp_v { ", " } else { " " });
            }
            if self.out.flags.plus_v || self.out.flags.sharp_v {
                self.write(name);
                self.write(":");
            }
            self.value(&field, verb, depth + 1);
        }
        self.write("}");
    }

    /// Prints the basic value of a named scalar, if the verb fits it.
    fn fits(&mut self, scalar: &Value, verb: char) -> bool {
        match scalar {
            Value::Bool(bool) => self.out.boolean(*bool, verb),
            Value::Int(int) | Value::Int64(int) => self.out.signed(*int, verb),
            Value::Float(float) => self.out.float(*float, 64, verb),
            Value::Number(number) => self.number(*number, verb),
            Value::String(text) => self.out.string(text.as_bytes(), verb),
            _ => false,
        }
    }

    fn complain_as(&mut self, kind: &Type, scalar: &Value, verb: char) {
        self.write("%!");
        self.write(verb.encode_utf8(&mut [0; 4]));
        self.write("(");
        self.write(kind.name);
        self.write("=");
        let _ = self.fits(scalar, 'v');
        self.write(")");
    }

    fn pointer(&mut self, value: &Value, address: u64, verb: char) -> bool {
        match verb {
            'v' if self.out.flags.sharp_v => {
                self.write("(");
                self.write(value.type_of().name);
                self.write(")(");
                if address == 0 {
                    self.write("nil");
                } else {
                    self.out.hexadecimal(address, true);
                }
                self.write(")");
                true
            }
            'v' if address == 0 => {
                self.out.pad(b"<nil>");
                true
            }
            'v' => {
                let sharp = self.out.flags.sharp;
                self.out.hexadecimal(address, !sharp);
                true
            }
            'b' | 'o' | 'd' | 'x' | 'X' => self.out.unsigned(address, verb),
            _ => false,
        }
    }
}

fn byte_values(bytes: &[u8]) -> impl Iterator<Item = Value> {
    bytes.iter().map(|byte| Value::Number(Number::Uint8(*byte)))
}

fn is_pointer(kind: Kind) -> bool {
    matches!(kind, Kind::Chan | Kind::Func | Kind::Map | Kind::Ptr | Kind::Slice)
}
