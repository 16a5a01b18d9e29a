//! Prints nodes as Go prints them in errors.

use windlass_go::fmt::append_quote;

use super::{Branch, Expression, Node, Place, Span, Tree};
use crate::stack;

impl Tree {
    /// A place as its source would read, in Go's spacing.
    pub(crate) fn source(&self, place: Place) -> String {
        let mut to = Vec::new();
        match place {
            Place::Node(node) => self.print_node(&mut to, node),
            Place::Pipe(pipe) => self.print_pipe(&mut to, pipe),
            Place::Command(command) => self.print_command(&mut to, command),
            Place::Expression(expression) => self.print_expression(&mut to, expression),
        }
        String::from_utf8_lossy(&to).into_owned()
    }

    fn print_list(&self, to: &mut Vec<u8>, list: Span) {
        for node in &self.nodes[list.indexes()] {
            self.print_node(to, *node);
        }
    }

    fn print_node(&self, to: &mut Vec<u8>, node: Node) {
        match node {
            Node::Text { start, end } => to.extend_from_slice(&self.text[start as usize..end as usize]),
            Node::Action { pipe, .. } => {
                to.extend_from_slice(b"{{");
                self.print_pipe(to, pipe);
                to.extend_from_slice(b"}}");
            }
            Node::If(branch) => self.print_branch(to, b"{{if ", branch),
            Node::With(branch) => self.print_branch(to, b"{{with ", branch),
            Node::Range(branch) => self.print_branch(to, b"{{range ", branch),
            Node::Template { name, pipe, .. } => {
                to.extend_from_slice(b"{{template ");
                append_quote(to, self.names[name as usize].as_bytes(), false);
                if let Some(pipe) = pipe {
                    to.push(b' ');
                    self.print_pipe(to, pipe);
                }
                to.extend_from_slice(b"}}");
            }
            Node::Break { .. } => to.extend_from_slice(b"{{break}}"),
            Node::Continue { .. } => to.extend_from_slice(b"{{continue}}"),
        }
    }

    fn print_branch(&self, to: &mut Vec<u8>, opening: &[u8], branch: Branch) {
        stack::deepen(|| {
            to.extend_from_slice(opening);
            self.print_pipe(to, branch.pipe);
            to.extend_from_slice(b"}}");
            self.print_list(to, branch.list);
            if let Some(otherwise) = branch.otherwise {
                to.extend_from_slice(b"{{else}}");
                self.print_list(to, otherwise);
            }
            to.extend_from_slice(b"{{end}}");
        });
    }

    fn print_pipe(&self, to: &mut Vec<u8>, pipe: u32) {
        let pipe = self.pipes[pipe as usize];
        for (index, declaration) in self.declarations[pipe.declarations.indexes()].iter().enumerate() {
            if index > 0 {
                to.extend_from_slice(b", ");
            }
            to.extend_from_slice(self.names[declaration.name as usize].as_bytes());
        }
        if pipe.declarations.len() > 0 {
            to.extend_from_slice(if pipe.is_assignment { b" = " } else { b" := " });
        }
        for (index, command) in pipe.commands.indexes().enumerate() {
            if index > 0 {
                to.extend_from_slice(b" | ");
            }
            self.print_command(to, u32::try_from(command).expect("indexes are 32 bits wide"));
        }
    }

    fn print_command(&self, to: &mut Vec<u8>, command: u32) {
        let arguments = self.commands[command as usize].arguments;
        for (index, argument) in self.expressions[arguments.indexes()].iter().enumerate() {
            if index > 0 {
                to.push(b' ');
            }
            self.print_operand(to, *argument);
        }
    }

    /// An expression; a pipeline between parentheses.
    fn print_operand(&self, to: &mut Vec<u8>, expression: Expression) {
        if let Expression::Pipe { pipe } = expression {
            to.push(b'(');
            stack::deepen(|| self.print_pipe(to, pipe));
            to.push(b')');
        } else {
            self.print_expression(to, expression);
        }
    }

    fn print_expression(&self, to: &mut Vec<u8>, expression: Expression) {
        let mut dotted = |names: Span, mut dot: bool| {
            for name in self.names(names) {
                if dot {
                    to.push(b'.');
                }
                to.extend_from_slice(name.as_bytes());
                dot = true;
            }
        };
        match expression {
            Expression::Bool { value, .. } => to.extend_from_slice(if value { b"true" } else { b"false" }),
            Expression::Nil { .. } => to.extend_from_slice(b"nil"),
            Expression::Dot { .. } => to.push(b'.'),
            Expression::Number { number, .. } => {
                to.extend_from_slice(self.numbers[number as usize].text.as_bytes());
            }
            Expression::String { quoted, .. } => to.extend_from_slice(&self.text[quoted.indexes()]),
            Expression::Field { names, .. } => dotted(names, true),
            Expression::Variable { names, .. } => dotted(names, false),
            Expression::Identifier { name, .. } => {
                to.extend_from_slice(self.names[name as usize].as_bytes());
            }
            Expression::Chain { inner, names, .. } => {
                self.print_operand(to, self.expressions[inner as usize]);
                for name in self.names(names) {
                    to.push(b'.');
                    to.extend_from_slice(name.as_bytes());
                }
            }
            Expression::Pipe { pipe } => stack::deepen(|| self.print_pipe(to, pipe)),
        }
    }
}
