//! The macros: calls that become loops, presence tests and bindings before anything is checked.

use super::ast::{ACCUMULATOR, Element, Fold, Kind, NodeId, OLD_ACCUMULATOR};
use super::parser::Parser;
use crate::Value;
use std::sync::Arc;

/// The name that the values of `sortBy` are bound to.
const SORT_INPUT: &str = "@__sortBy_input__";
/// The variable of loops that bind.
const UNUSED: &str = "#unused";

/// What a call with this name and so many arguments becomes, if it is a macro.
pub(super) fn expand(
    parser: &mut Parser<'_>,
    at: u32,
    function: &str,
    target: Option<NodeId>,
    arguments: &[NodeId],
) -> Option<NodeId> {
    let mut build = Build { parser, at };
    let expanded = match (target, function, arguments) {
        (None, "has", [argument]) => build.has(*argument),
        (Some(target), "all" | "exists" | "exists_one", [variable, predicate]) => build
            .variable(*variable, Style::Quantifier)
            .map(|name| build.quantifier(function, target, name, None, *predicate)),
        (Some(target), "all" | "exists" | "exists_one" | "existsOne", [first, second, predicate]) => build
            .two_variables(*first, *second)
            .map(|(first, second)| build.quantifier(function, target, first, Some(second), *predicate)),
        (Some(target), "map", [variable, transform]) => build
            .variable(*variable, Style::Map)
            .map(|name| build.list_of(target, name, None, None, *transform)),
        (Some(target), "map", [variable, filter, transform]) => build
            .variable(*variable, Style::Map)
            .map(|name| build.list_of(target, name, None, Some(*filter), *transform)),
        (Some(target), "filter", [variable, filter]) => build
            .variable(*variable, Style::Map)
            .map(|name| build.list_of(target, name, None, Some(*filter), *variable)),
        (Some(target), "transformList", [first, second, rest @ ..]) if matches!(rest.len(), 1 | 2) => {
            build.two_variables(*first, *second).map(|(first, second)| {
                let filter = (rest.len() == 2).then(|| rest[0]);
                build.list_of(target, first, Some(second), filter, rest[rest.len() - 1])
            })
        }
        (Some(target), "transformMap" | "transformMapEntry", [first, second, rest @ ..])
            if matches!(rest.len(), 1 | 2) =>
        {
            build.two_variables(*first, *second).map(|(first, second)| {
                let filter = (rest.len() == 2).then(|| rest[0]);
                let is_entry = function == "transformMapEntry";
                build.map_of(target, first, second, filter, rest[rest.len() - 1], is_entry)
            })
        }
        (Some(target), "optMap" | "optFlatMap", [variable, transform]) => {
            build.optional_map(function, target, *variable, *transform)
        }
        (Some(target), "sortBy", [variable, key]) => build.sort_by(target, *variable, *key),
        _ => return None,
    };
    Some(match expanded {
        Ok(id) => id,
        Err((at, message)) => parser.report(at, message),
    })
}

type Expanded<T = NodeId> = Result<T, (u32, String)>;

#[derive(Clone, Copy)]
enum Style {
    Quantifier,
    Map,
}

struct Build<'b, 'p> {
    parser: &'b mut Parser<'p>,
    /// Where the call is: all that the macro makes is there.
    at: u32,
}

impl Build<'_, '_> {
    fn add(&mut self, kind: Kind) -> NodeId {
        self.parser.tree.add(self.at, kind)
    }

    fn literal(&mut self, value: Value) -> NodeId {
        self.add(Kind::Literal(value))
    }

    fn ident(&mut self, name: &str) -> NodeId {
        self.add(Kind::Ident(name.into()))
    }

    fn gathered(&mut self) -> NodeId {
        self.ident(ACCUMULATOR)
    }

    fn call(&mut self, function: &str, arguments: Vec<NodeId>) -> NodeId {
        self.add(Kind::Call { target: None, function: function.into(), arguments })
    }

    fn member_call(&mut self, function: &str, target: NodeId, arguments: Vec<NodeId>) -> NodeId {
        self.add(Kind::Call { target: Some(target), function: function.into(), arguments })
    }

    fn wrong<T>(&self, id: NodeId, message: &str) -> Expanded<T> {
        Err((self.parser.tree.at(id), message.to_owned()))
    }

    fn simple_name(&self, id: NodeId) -> Option<Arc<str>> {
        match self.parser.tree.kind(id) {
            Kind::Ident(name) => Some(Arc::clone(name)),
            _ => None,
        }
    }

    fn variable(&self, id: NodeId, style: Style) -> Expanded<Arc<str>> {
        let Some(name) = self.simple_name(id) else {
            return self.wrong(
                id,
                match style {
                    Style::Quantifier => "argument must be a simple name",
                    Style::Map => "argument is not an identifier",
                },
            );
        };
        if [ACCUMULATOR, OLD_ACCUMULATOR].contains(&&*name) {
            return self.wrong(id, "iteration variable overwrites accumulator variable");
        }
        Ok(name)
    }

    fn two_variables(&self, first: NodeId, second: NodeId) -> Expanded<(Arc<str>, Arc<str>)> {
        let name = |id| match self.simple_name(id) {
            Some(name) => Ok(name),
            None => self.wrong(id, "argument must be a simple name"),
        };
        let names = (name(first)?, name(second)?);
        if names.0 == names.1 {
            return self.wrong(second, &format!("duplicate variable name: {}", names.0));
        }
        for (name, id) in [(&names.0, first), (&names.1, second)] {
            if [ACCUMULATOR, OLD_ACCUMULATOR].contains(&&**name) {
                return self.wrong(id, "iteration variable overwrites accumulator variable");
            }
        }
        Ok(names)
    }

    fn has(&mut self, argument: NodeId) -> Expanded {
        match self.parser.tree.kind(argument).clone() {
            Kind::Select { operand, field, test_only: false } => {
                Ok(self.add(Kind::Select { operand, field, test_only: true }))
            }
            _ => self.wrong(argument, "invalid argument to has() macro"),
        }
    }

    fn fold(&mut self, fold: Fold) -> NodeId {
        self.add(Kind::Fold(Box::new(fold)))
    }

    fn quantifier(
        &mut self,
        function: &str,
        range: NodeId,
        variable: Arc<str>,
        second: Option<Arc<str>>,
        predicate: NodeId,
    ) -> NodeId {
        let (start, condition, step, result);
        match function {
            "all" => {
                start = self.literal(Value::Bool(true));
                let gathered = self.gathered();
                condition = self.call("@not_strictly_false", vec![gathered]);
                let gathered = self.gathered();
                step = self.call("_&&_", vec![gathered, predicate]);
                result = self.gathered();
            }
            "exists" => {
                start = self.literal(Value::Bool(false));
                let gathered = self.gathered();
                let not = self.call("!_", vec![gathered]);
                condition = self.call("@not_strictly_false", vec![not]);
                let gathered = self.gathered();
                step = self.call("_||_", vec![gathered, predicate]);
                result = self.gathered();
            }
            _ => {
                start = self.literal(Value::Int(0));
                condition = self.literal(Value::Bool(true));
                let (gathered, one) = (self.gathered(), self.literal(Value::Int(1)));
                let sum = self.call("_+_", vec![gathered, one]);
                let gathered = self.gathered();
                step = self.call("_?_:_", vec![predicate, sum, gathered]);
                let (gathered, one) = (self.gathered(), self.literal(Value::Int(1)));
                result = self.call("_==_", vec![gathered, one]);
            }
        }
        let accumulator = ACCUMULATOR.into();
        self.fold(Fold { range, variable, second, accumulator, start, condition, step, result })
    }

    /// A step that is made only where the filter holds.
    fn filtered(&mut self, filter: Option<NodeId>, step: NodeId) -> NodeId {
        match filter {
            None => step,
            Some(filter) => {
                let gathered = self.gathered();
                self.call("_?_:_", vec![filter, step, gathered])
            }
        }
    }

    fn list_of(
        &mut self,
        range: NodeId,
        variable: Arc<str>,
        second: Option<Arc<str>>,
        filter: Option<NodeId>,
        transform: NodeId,
    ) -> NodeId {
        let start = self.add(Kind::List(Vec::new()));
        let condition = self.literal(Value::Bool(true));
        let gathered = self.gathered();
        let item = self.add(Kind::List(vec![Element { value: transform, optional: false }]));
        let step = self.call("_+_", vec![gathered, item]);
        let step = self.filtered(filter, step);
        let result = self.gathered();
        let accumulator = ACCUMULATOR.into();
        self.fold(Fold { range, variable, second, accumulator, start, condition, step, result })
    }

    fn map_of(
        &mut self,
        range: NodeId,
        variable: Arc<str>,
        second: Arc<str>,
        filter: Option<NodeId>,
        transform: NodeId,
        is_entry: bool,
    ) -> NodeId {
        let start = self.add(Kind::Map(Vec::new()));
        let condition = self.literal(Value::Bool(true));
        let mut arguments = vec![self.gathered()];
        if !is_entry {
            arguments.push(self.ident(&variable));
        }
        arguments.push(transform);
        let step = self.call("cel.@mapInsert", arguments);
        let step = self.filtered(filter, step);
        let result = self.gathered();
        let accumulator = ACCUMULATOR.into();
        self.fold(Fold { range, variable, second: Some(second), accumulator, start, condition, step, result })
    }

    /// A loop of no rounds that gives a value a name.
    fn bind(&mut self, name: Arc<str>, value: NodeId, result: NodeId) -> NodeId {
        let range = self.add(Kind::List(Vec::new()));
        let condition = self.literal(Value::Bool(false));
        let step = self.ident(&name);
        self.fold(Fold {
            range,
            variable: UNUSED.into(),
            second: None,
            accumulator: name,
            start: value,
            condition,
            step,
            result,
        })
    }

    fn optional_map(
        &mut self,
        function: &str,
        target: NodeId,
        variable: NodeId,
        transform: NodeId,
    ) -> Expanded {
        let Some(name) = self.simple_name(variable) else {
            return self.wrong(variable, &format!("{function}() variable name must be a simple identifier"));
        };
        let copied = self.parser.tree.copy(target);
        let present = self.member_call("hasValue", target, Vec::new());
        let value = self.member_call("value", copied, Vec::new());
        let mut mapped = self.bind(name, value, transform);
        if function == "optMap" {
            mapped = self.call("optional.of", vec![mapped]);
        }
        let none = self.call("optional.none", Vec::new());
        Ok(self.call("_?_:_", vec![present, mapped, none]))
    }

    fn sort_by(&mut self, target: NodeId, variable: NodeId, key: NodeId) -> Expanded {
        match self.parser.tree.kind(target) {
            Kind::List(_) | Kind::Select { .. } | Kind::Ident(_) | Kind::Fold(_) | Kind::Call { .. } => {}
            _ => {
                return self.wrong(
                    target,
                    "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
                );
            }
        }
        let name = self.variable(variable, Style::Map)?;
        let input = self.ident(SORT_INPUT);
        let keys = self.list_of(input, name, None, None, key);
        let input = self.ident(SORT_INPUT);
        let sorted = self.member_call("@sortByAssociatedKeys", input, vec![keys]);
        Ok(self.bind(SORT_INPUT.into(), target, sorted))
    }
}
