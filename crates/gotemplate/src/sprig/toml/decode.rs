//! The decoder: keys, tables, and where values go.
//!
//! It follows BurntSushi's in what it lets pass beyond the standard: a dotted key extends any table, even one
//! that was written out.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::value::{List, Map, Str, Value, types};

use super::super::regex::readable;
use super::lex::{Lexer, Problem};

/// How deep arrays and inline tables may nest. The original has no limit, and no document comes near.
const MAX_DEPTH: usize = 500;

type Table = Rc<RefCell<BTreeMap<Str, Node>>>;

/// What a key stands for while the document is read.
#[derive(Clone)]
enum Node {
    Value(Value),
    Table(Table),
    Tables(Vec<Table>),
}

/// Reads a document into a map; the error is in the original's words.
pub(super) fn document(text: &Str, into: &Map) -> Result<(), String> {
    // The marks of UTF-16 are skipped as well, though what follows them can hardly be read.
    let text = match text.as_bytes() {
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => Str::from_bytes(rest),
        _ => text.clone(),
    };
    let has_stand_ins = text.as_str().is_none();
    let text = readable(&text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.bytes().take(6).any(|byte| byte == 0) {
        let problem = "files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8";
        return Err(format!("toml: line 1: {problem}"));
    }
    let mut decoder = Decoder {
        lexer: Lexer::new(text, has_stand_ins),
        root: Table::default(),
        context: Vec::new(),
        current: Str::new(),
        line: 1,
        implicits: HashSet::new(),
        arrays: HashSet::new(),
        depth: 0,
    };
    if let Err(problem) = decoder.read() {
        return Err(decoder.described(&problem));
    }
    for (key, value) in entries(&decoder.root) {
        into.insert(key, value);
    }
    Ok(())
}

/// A table as the decoder's caller sees it.
fn entries(table: &Table) -> Vec<(Str, Value)> {
    table.borrow().iter().map(|(key, node)| (key.clone(), finished(node))).collect()
}

fn finished(node: &Node) -> Value {
    match node {
        Node::Value(value) => value.clone(),
        Node::Table(table) => Value::Map(entries(table).into_iter().collect()),
        Node::Tables(tables) => {
            let tables = tables.iter().map(|table| Value::Map(entries(table).into_iter().collect()));
            Value::List(List::typed(&types::MAPS, tables.collect()))
        }
    }
}

struct Decoder<'a> {
    lexer: Lexer<'a>,
    root: Table,
    /// The table that keys are put into, as the path to it.
    context: Vec<Str>,
    /// The key whose value is being read.
    current: Str,
    /// Where the last key began.
    line: usize,
    /// Tables that are there only because something in them was named.
    implicits: HashSet<Vec<u8>>,
    /// Keys whose value is an array.
    arrays: HashSet<Vec<u8>>,
    depth: usize,
}

fn path(key: &[Str]) -> Vec<u8> {
    super::encode::written_key(key)
}

fn shown(key: &[Str]) -> String {
    String::from_utf8_lossy(&path(key)).into_owned()
}

impl Decoder<'_> {
    /// The whole message, with the line and the key that was being read.
    fn described(&self, problem: &Problem) -> String {
        let context = shown(&self.context);
        let last_key = match (self.current.is_empty(), self.context.is_empty()) {
            (true, _) => context,
            (false, true) => self.current.to_string(),
            (false, false) => format!("{context}.{}", self.current),
        };
        let line = problem.line;
        if last_key.is_empty() {
            return format!("toml: line {line}: {}", problem.message);
        }
        let quoted = super::super::display::quoted(&last_key.into());
        let quoted = String::from_utf8_lossy(&quoted);
        format!("toml: line {line} (last key {quoted}): {}", problem.message)
    }

    /// A problem with a key, where that key began.
    fn problem<T>(&self, message: String) -> Result<T, Problem> {
        Err(Problem { line: self.line, message })
    }

    fn read(&mut self) -> Result<(), Problem> {
        while self.lexer.skip_to_item()? {
            if self.lexer.accept('[')? {
                self.table()?;
            } else {
                let outer = self.context.clone();
                let key = self.key()?;
                let node = self.key_value(&key)?;
                self.set_value(&self.current.clone(), node)?;
                self.context = outer;
                self.current = Str::new();
            }
            self.lexer.end_of_item()?;
        }
        Ok(())
    }

    fn table(&mut self) -> Result<(), Problem> {
        let is_array = self.lexer.accept('[')?;
        let mut key = Vec::new();
        loop {
            let (part, line) = self.lexer.table_name_part()?;
            if key.is_empty() {
                self.line = line;
            }
            key.push(part);
            if !self.lexer.table_name_goes_on()? {
                break;
            }
        }
        if is_array {
            self.lexer.second_bracket()?;
        }
        self.add_context(&key, is_array)
    }

    /// The parts of a key up to its equals sign.
    fn key(&mut self) -> Result<Vec<Str>, Problem> {
        self.lexer.check_key_start()?;
        let mut key = Vec::new();
        loop {
            let (part, line) = self.lexer.key_part()?;
            if key.is_empty() {
                self.line = line;
            }
            key.push(part);
            if !self.lexer.key_goes_on()? {
                return Ok(key);
            }
        }
    }

    /// Reads the value of a key, after making the tables that its parts but the last name.
    fn key_value(&mut self, key: &[Str]) -> Result<Node, Problem> {
        if let [parents @ .., last] = key {
            self.current = last.clone();
            for parent in parents {
                let mut inner = self.context.clone();
                inner.push(parent.clone());
                self.implicits.insert(path(&inner));
                self.add_context(&inner, false)?;
            }
        }
        self.value(false)
    }

    fn value(&mut self, in_array: bool) -> Result<Node, Problem> {
        self.lexer.skip_blanks();
        match self.lexer.peek() {
            Some('[') => self.array(),
            Some('{') => self.inline_table(in_array),
            _ => Ok(Node::Value(self.lexer.scalar()?)),
        }
    }

    fn nest(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.problem(format!("values nest deeper than {MAX_DEPTH} levels"));
        }
        Ok(())
    }

    fn array(&mut self) -> Result<Node, Problem> {
        self.nest()?;
        self.lexer.accept('[')?;
        let mut key = self.context.clone();
        key.push(self.current.clone());
        self.arrays.insert(path(&key));
        let mut items = Vec::new();
        while self.lexer.array_goes_on()? {
            items.push(finished(&self.value(true)?));
            if !self.lexer.array_separator()? {
                break;
            }
        }
        self.depth -= 1;
        Ok(Node::Value(Value::list(items)))
    }

    fn inline_table(&mut self, in_array: bool) -> Result<Node, Problem> {
        self.nest()?;
        self.lexer.accept('{')?;
        let whole = Table::default();
        let (outer, outer_key) = (self.context.clone(), std::mem::take(&mut self.current));
        let mut inner = outer.clone();
        inner.push(outer_key.clone());
        self.implicits.insert(path(&inner));
        self.add_context(&inner, in_array)?;
        let inner = self.context.clone();
        while self.lexer.inline_table_goes_on()? {
            let key = self.key()?;
            let node = self.key_value(&key)?;
            self.set_value(&self.current.clone(), node.clone())?;
            let [parents @ .., last] = key.as_slice() else { break };
            let mut table = Rc::clone(&whole);
            for parent in parents {
                let next = match table
                    .borrow_mut()
                    .entry(parent.clone())
                    .or_insert_with(|| Node::Table(Table::default()))
                {
                    Node::Table(next) => Rc::clone(next),
                    _ => return self.problem(format!("{:?} is not a table", shown(&self.context))),
                };
                table = next;
            }
            table.borrow_mut().insert(last.clone(), node);
            self.context.clone_from(&inner);
            if !self.lexer.inline_table_separator()? {
                break;
            }
        }
        self.context = outer;
        self.current = outer_key;
        self.depth -= 1;
        Ok(Node::Table(whole))
    }

    /// Goes to the table at a path, or to a new one at the end of the array of tables there. The tables on the
    /// way are made.
    fn add_context(&mut self, key: &[Str], is_array: bool) -> Result<(), Problem> {
        let [parents @ .., last] = key else { return Ok(()) };
        let mut table = Rc::clone(&self.root);
        for (position, parent) in parents.iter().enumerate() {
            let way = &parents[..=position];
            if !table.borrow().contains_key(parent) {
                self.implicits.insert(path(way));
                table.borrow_mut().insert(parent.clone(), Node::Table(Table::default()));
            }
            let Some(next) = inner_table(&table, parent) else {
                return self.problem(format!("Key '{}' was already created as a hash.", shown(way)));
            };
            table = next;
        }
        self.context = parents.to_vec();
        if is_array {
            match table.borrow_mut().entry(last.clone()).or_insert_with(|| Node::Tables(Vec::new())) {
                Node::Tables(tables) => tables.push(Table::default()),
                _ => {
                    let key = shown(key);
                    return self
                        .problem(format!("Key '{key}' was already created and cannot be used as an array."));
                }
            }
        } else {
            self.set_value(last, Node::Table(Table::default()))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Puts a value under a key of the current table, where nothing may be but what was there implicitly.
    fn set_value(&mut self, key: &Str, node: Node) -> Result<(), Problem> {
        let mut table = Rc::clone(&self.root);
        for (position, part) in self.context.iter().enumerate() {
            let Some(next) = inner_table(&table, part) else {
                let way = shown(&self.context[..=position]);
                return self.problem(format!("Key '{way}' has already been defined."));
            };
            table = next;
        }
        let mut whole = self.context.clone();
        whole.push(key.clone());
        let name = path(&whole);
        if table.borrow().contains_key(key) {
            if !self.implicits.remove(&name) {
                return self.problem(format!("Key '{}' has already been defined.", shown(&whole)));
            }
            // What is there is the table already, unless an array left its tables there while it was read.
            if !self.arrays.contains(&name) {
                return Ok(());
            }
        }
        table.borrow_mut().insert(key.clone(), node);
        Ok(())
    }
}

/// The table under a key; the last one of an array of tables.
fn inner_table(table: &Table, key: &Str) -> Option<Table> {
    match table.borrow().get(key)? {
        Node::Table(table) => Some(Rc::clone(table)),
        Node::Tables(tables) => tables.last().cloned(),
        Node::Value(_) => None,
    }
}
