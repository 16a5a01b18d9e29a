//! What an expression can cost at most, before there is anything to evaluate it with.
//!
//! kube-apiserver refuses rules by this number, so it is computed as cel-go and Kubernetes' libraries compute it.

use crate::check::Checked;
use crate::declaration::{Declaration, Shape};
use crate::syntax::ast::{ACCUMULATOR, Fold, Kind, NodeId, OLD_ACCUMULATOR};
use crate::types::Type;
use crate::value::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A range: of costs, or of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

const TRAVERSAL: f64 = 0.1;
const PATTERN: f64 = 0.25;

impl Estimate {
    const UNKNOWN: Self = Self { min: 0, max: u64::MAX };

    const fn fixed(size: u64) -> Self {
        Self { min: size, max: size }
    }

    fn add(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    fn scaled(self, factor: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, as in cel-go"
        )]
        let scale = |size: u64| (size as f64 * factor).ceil() as u64;
        Self { min: scale(self.min), max: scale(self.max) }
    }

    fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// The sizes of what a container holds.
#[derive(Clone, Copy, Debug)]
struct Entries {
    is_list: bool,
    key: Estimate,
    value: Estimate,
}

#[derive(Clone)]
struct Local {
    path: Vec<Arc<str>>,
    size: Option<Estimate>,
    entries: Option<Entries>,
}

/// Estimates the cost of a checked expression; `roots` says how large variables are.
pub(crate) fn estimate(checked: &Checked, roots: &BTreeMap<Arc<str>, Arc<Declaration>>) -> Estimate {
    let mut estimator = Estimator {
        checked,
        root: roots.get("self").or_else(|| roots.values().next()),
        locals: HashMap::new(),
        paths: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
    };
    estimator.cost(checked.tree.root)
}

struct Estimator<'e> {
    checked: &'e Checked,
    root: Option<&'e Arc<Declaration>>,
    locals: HashMap<Arc<str>, Vec<Local>>,
    paths: HashMap<NodeId, Vec<Arc<str>>>,
    sizes: HashMap<NodeId, Estimate>,
    entries: HashMap<NodeId, Entries>,
}

/// What a call costs, and how large its result is.
struct Call {
    cost: Estimate,
    size: Option<Estimate>,
}

impl Estimator<'_> {
    fn cost(&mut self, id: NodeId) -> Estimate {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.cost_of(id))
    }

    fn cost_of(&mut self, id: NodeId) -> Estimate {
        let checked = self.checked;
        match checked.tree.kind(id) {
            Kind::Missing | Kind::Literal(_) => Estimate::fixed(0),
            Kind::Ident(name) => {
                let path = match self.local(name) {
                    Some(local) => local.path.clone(),
                    None => vec![Arc::clone(name)],
                };
                self.paths.insert(id, path);
                Estimate::fixed(1)
            }
            Kind::Select { operand, field, test_only } => {
                let mut sum = self.cost(*operand);
                if *test_only {
                    return sum;
                }
                if matches!(checked.ty(*operand), Type::Map(_) | Type::Struct(_) | Type::Param(_)) {
                    sum = sum.add(Estimate::fixed(1));
                }
                let mut path = self.path(*operand);
                path.push(Arc::clone(field));
                self.paths.insert(id, path);
                sum
            }
            Kind::Call { target, function, arguments } => self.call(id, *target, function, arguments),
            Kind::List(elements) => {
                let mut sum = Estimate::fixed(0);
                let mut item = Estimate { min: if elements.is_empty() { 0 } else { u64::MAX }, max: 0 };
                for element in elements {
                    sum = sum.add(self.cost(element.value));
                    item = item.union(self.size_or_unknown(element.value));
                }
                self.entries.insert(id, Entries { is_list: true, key: Estimate::fixed(1), value: item });
                sum.add(Estimate::fixed(10))
            }
            Kind::Map(entries) => {
                let mut sum = Estimate::fixed(0);
                let start = Estimate { min: if entries.is_empty() { 0 } else { u64::MAX }, max: 0 };
                let (mut keys, mut values) = (start, start);
                for entry in entries {
                    sum = sum.add(self.cost(entry.key)).add(self.cost(entry.value));
                    keys = keys.union(self.size_or_unknown(entry.key));
                    values = values.union(self.size_or_unknown(entry.value));
                }
                self.entries.insert(id, Entries { is_list: false, key: keys, value: values });
                sum.add(Estimate::fixed(30))
            }
            Kind::Struct { fields, .. } => {
                let mut sum = Estimate::fixed(40);
                for field in fields {
                    sum = sum.add(self.cost(field.value));
                }
                sum
            }
            Kind::Fold(fold) => self.fold(id, fold),
        }
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.get(name)?.last()
    }

    fn push(&mut self, name: &Arc<str>, local: Local) {
        self.locals.entry(Arc::clone(name)).or_default().push(local);
    }

    fn pop(&mut self, name: &str) {
        if let Some(stack) = self.locals.get_mut(name) {
            stack.pop();
        }
    }

    fn path(&self, id: NodeId) -> Vec<Arc<str>> {
        if let Kind::Ident(name) = self.checked.tree.kind(id)
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&id).cloned().unwrap_or_default()
    }

    /// The path that sizes are looked up by; none below what a loop gathers.
    fn known_path(&self, id: NodeId) -> Vec<Arc<str>> {
        let path = self.path(id);
        match path.first() {
            Some(first) if [ACCUMULATOR, OLD_ACCUMULATOR].contains(&&**first) => Vec::new(),
            _ => path,
        }
    }

    fn declared_size(&self, path: &[Arc<str>]) -> Option<Estimate> {
        if path.is_empty() {
            return None;
        }
        let mut node = self.root?;
        for step in &path[1..] {
            node = match (&**step, node.shape()) {
                ("@items" | "@values", Shape::List(item) | Shape::Map(item)) => item,
                ("@items" | "@values", _) => return None,
                // The keys of a map are strings, of which nothing bounds the length.
                ("@keys", Shape::Map(_)) => return Some(Estimate { min: 0, max: 0 }),
                ("@keys", _) => return None,
                (name, _) => node.field(name)?.declaration(),
            };
        }
        Some(Estimate { min: 0, max: u64::try_from(node.max_elements()).unwrap_or(0) })
    }

    fn size(&mut self, id: NodeId) -> Option<Estimate> {
        if let Some(size) = self.sizes.get(&id) {
            return Some(*size);
        }
        let counted = match self.checked.tree.kind(id) {
            Kind::Literal(Value::String(text)) => Some(text.chars().count()),
            Kind::Literal(Value::Bytes(bytes)) => Some(bytes.len()),
            Kind::Literal(_) => Some(1),
            Kind::List(elements) => Some(elements.len()),
            Kind::Map(entries) => Some(entries.len()),
            _ => None,
        };
        if let Some(count) = counted {
            return Some(Estimate::fixed(count as u64));
        }
        if let Some(size) = self.declared_size(&self.path(id)) {
            self.sizes.insert(id, size);
            return Some(size);
        }
        if is_scalar(self.checked.ty(id)) {
            return Some(Estimate::fixed(1));
        }
        if let Kind::Ident(name) = self.checked.tree.kind(id) {
            return self.local(name).and_then(|local| local.size);
        }
        None
    }

    fn size_or_unknown(&mut self, id: NodeId) -> Estimate {
        self.size(id).unwrap_or(Estimate::UNKNOWN)
    }

    /// The size as Kubernetes' libraries see it: by the path without what loops gather.
    fn library_size(&mut self, id: NodeId) -> Estimate {
        match self.size(id) {
            Some(size) => size,
            None => self.declared_size(&self.known_path(id)).unwrap_or(Estimate::UNKNOWN),
        }
    }

    fn entries_of(&self, id: NodeId) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&id) {
            return Some(*entries);
        }
        match self.checked.tree.kind(id) {
            Kind::Ident(name) => self.local(name).and_then(|local| local.entries),
            _ => None,
        }
    }

    fn copy_sizes(&mut self, to: NodeId, from: NodeId) {
        if let Some(size) = self.size(from) {
            self.sizes.insert(to, size);
        }
        if let Some(entries) = self.entries_of(from) {
            self.entries.insert(to, entries);
        }
    }

    fn call(&mut self, id: NodeId, target: Option<NodeId>, function: &str, arguments: &[NodeId]) -> Estimate {
        if function == "dyn" {
            let cost = self.cost(arguments[0]);
            self.copy_sizes(id, arguments[0]);
            return cost.add(Estimate::fixed(1));
        }
        let argument_costs: Vec<Estimate> = arguments.iter().map(|argument| self.cost(*argument)).collect();
        let overloads = self.checked.overloads[id as usize].clone();
        if overloads.is_empty() {
            return Estimate::fixed(0);
        }
        let sum = match target {
            Some(target) => self.cost(target),
            None => Estimate::fixed(0),
        };
        let mut cost = Estimate { min: u64::MAX, max: 0 };
        let mut size: Option<Estimate> = None;
        for overload in overloads {
            let call = self.function(id, function, overload, target, arguments, &argument_costs);
            cost = cost.union(call.cost);
            if let Some(made) = call.size {
                size = Some(size.map_or(made, |size| size.union(made)));
            }
            let step = match overload {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let Some(step) = step {
                size = self.entries_of(arguments[0]).map(|entries| entries.value);
                let mut path = self.path(arguments[0]);
                path.push(step.into());
                self.paths.insert(id, path);
            }
            if size.is_none() {
                size = self.size(id);
            }
        }
        if let Some(size) = size {
            self.sizes.insert(id, size);
        }
        sum.add(cost)
    }

    fn fold(&mut self, id: NodeId, fold: &Fold) -> Estimate {
        let tree = &self.checked.tree;
        let is_binding = matches!(tree.kind(fold.range), Kind::List(elements) if elements.is_empty())
            && matches!(tree.kind(fold.condition), Kind::Literal(Value::Bool(false)))
            && *fold.accumulator != *OLD_ACCUMULATOR;
        let mut sum = self.cost(fold.range).add(self.cost(fold.start));
        let local = Local {
            path: self.path(fold.start),
            size: self.size(fold.start),
            entries: self.entries_of(fold.start),
        };
        self.push(&fold.accumulator, local);
        if is_binding {
            sum = sum.add(self.cost(fold.result));
            self.pop(&fold.accumulator);
            self.copy_sizes(id, fold.result);
            return sum;
        }
        let entries = self.entries_of(fold.range);
        let is_list = entries
            .map_or_else(|| matches!(self.checked.ty(fold.range), Type::List(_)), |entries| entries.is_list);
        let path = self.path(fold.range);
        let below = |step: &str| {
            let mut below = path.clone();
            below.push(step.into());
            below
        };
        let value = Local {
            path: below(if is_list { "@items" } else { "@values" }),
            size: entries.map(|entries| entries.value),
            entries: None,
        };
        let key = Local {
            path: below(if is_list { "@indices" } else { "@keys" }),
            size: entries.map(|entries| entries.key),
            entries: None,
        };
        match &fold.second {
            Some(second) => {
                self.push(&fold.variable, key);
                self.push(second, value);
            }
            None => self.push(&fold.variable, if is_list { value } else { key }),
        }
        let round = self.cost(fold.condition).add(self.cost(fold.step));
        self.pop(&fold.variable);
        if let Some(second) = &fold.second {
            self.pop(second);
        }
        sum = sum.add(self.cost(fold.result));
        self.pop(&fold.accumulator);
        let rounds = self.size_or_unknown(fold.range);
        sum = sum.add(rounds.times(round));
        match self.checked.tree.kind(fold.start) {
            Kind::Literal(_) => {
                if let Some(size) = self.size(fold.start) {
                    self.sizes.insert(id, size);
                }
            }
            Kind::List(_) | Kind::Map(_) => {
                self.sizes.insert(id, rounds);
                if let Some(entries) = self.entries_of(fold.step) {
                    self.entries.insert(id, entries);
                }
            }
            _ => {}
        }
        sum
    }

    /// The size of an item of a list, and whether it is text.
    fn item(&self, list: NodeId) -> Option<(Estimate, bool)> {
        let ty = self.checked.ty(list);
        let parameters = ty.parameters();
        let item = parameters.first()?;
        let mut path = self.known_path(list);
        let size = if path.is_empty() {
            None
        } else {
            path.push("@items".into());
            self.declared_size(&path)
        };
        Some((size.unwrap_or(Estimate::UNKNOWN), matches!(item, Type::String | Type::Bytes)))
    }

    fn literal_int(&self, id: NodeId, default: u64) -> u64 {
        match self.checked.tree.kind(id) {
            Kind::Literal(Value::Int(int)) => u64::try_from(*int).unwrap_or(0),
            _ => default,
        }
    }

    /// A call that makes a list.
    fn allocating(factor: f64, size: Estimate) -> Call {
        Call { cost: size.scaled(factor).add(Estimate::fixed(11)), size: Some(size) }
    }

    fn by_overload(&mut self, overload: &str, target: Option<NodeId>, arguments: &[NodeId]) -> Option<Call> {
        Some(match (overload, target, arguments) {
            (
                "list_sets_contains_list" | "list_sets_intersects_list" | "list_sets_equivalent_list",
                _,
                [left, right],
            ) => {
                let factor = if overload == "list_sets_equivalent_list" { 2.0 } else { 1.0 };
                let size = self.library_size(*left).times(self.library_size(*right));
                Call { cost: size.scaled(factor).add(Estimate::fixed(1)), size: None }
            }
            ("list_slice", Some(list), [start, end]) => {
                let size = self.library_size(list);
                let (start, end) = (self.literal_int(*start, 0), self.literal_int(*end, size.max));
                Self::allocating(1.0, Estimate::fixed(end.wrapping_sub(start)))
            }
            ("lists_range", None, [count]) => {
                Self::allocating(1.0, Estimate::fixed(self.literal_int(*count, u64::MAX)))
            }
            ("list_reverse", Some(list), []) => Self::allocating(1.0, self.library_size(list)),
            ("list_flatten" | "list_flatten_int", Some(list), rest) => {
                let depth = rest.first().map_or(1, |depth| self.literal_int(*depth, u64::MAX));
                #[expect(clippy::cast_precision_loss, reason = "as in cel-go")]
                let factor = depth as f64;
                Self::allocating(factor, self.library_size(list))
            }
            ("list_distinct", Some(list), []) => {
                let size = self.library_size(list);
                Self::allocating(2.0, size.times(size))
            }
            (name, Some(list), rest)
                if name.starts_with("list_")
                    && (name.ends_with("_sort") || name.ends_with("_sortByAssociatedKeys")) =>
            {
                let size = self.library_size(*rest.first().unwrap_or(&list));
                let is_text = name.starts_with("list_string_") || name.starts_with("list_bytes_");
                Self::allocating(if is_text { 2.0 + TRAVERSAL } else { 2.0 }, size.times(size))
            }
            _ => return None,
        })
    }

    fn by_function(
        &mut self,
        function: &str,
        overload: &str,
        target: Option<NodeId>,
        arguments: &[NodeId],
    ) -> Option<Call> {
        let fixed = |cost| Some(Call { cost: Estimate::fixed(cost), size: None });
        let plain = |cost| Some(Call { cost, size: None });
        let sized = |cost, size| Some(Call { cost, size: Some(size) });
        match function {
            "check" => fixed(350_000),
            "serviceAccount"
            | "path"
            | "group"
            | "resource"
            | "subresource"
            | "namespace"
            | "name"
            | "allowed"
            | "reason"
            | "error"
            | "errored"
            | "masked"
            | "prefixLength"
            | "family"
            | "isUnspecified"
            | "isLoopback"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isGlobalUnicast"
            | "format.named"
            | "sign"
            | "asInteger"
            | "isInteger"
            | "asApproximateFloat"
            | "isGreaterThan"
            | "isLessThan"
            | "compareTo"
            | "add"
            | "sub"
            | "major"
            | "minor"
            | "patch"
            | "getScheme"
            | "getHostname"
            | "getHost"
            | "getPort"
            | "getEscapedPath"
            | "getQuery" => fixed(1),
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
                let target = target?;
                let size = self.library_size(target);
                match self.item(target) {
                    Some((item, is_text)) => {
                        let mut each = Estimate::fixed(1);
                        if is_text {
                            each = each.add(item.scaled(TRAVERSAL));
                        }
                        plain(size.times(each))
                    }
                    None => plain(size.scaled(TRAVERSAL)),
                }
            }
            "url" | "jsonpatch.escapeKey" if arguments.len() == 1 => {
                let size = self.library_size(arguments[0]);
                sized(size.scaled(TRAVERSAL), size)
            }
            "lowerAscii" | "upperAscii" | "substring" | "trim" => {
                let size = self.library_size(target?);
                sized(size.scaled(TRAVERSAL), size)
            }
            "replace" if arguments.len() >= 2 => {
                let size = self.library_size(target?);
                let (old, new) = (self.library_size(arguments[0]), self.library_size(arguments[1]));
                sized(size.scaled(2.0 * TRAVERSAL), replaced(size, old, new))
            }
            "split" => {
                let size = self.library_size(target?);
                let max = match arguments.get(1) {
                    Some(count) => match self.checked.tree.kind(*count) {
                        Kind::Literal(Value::Int(int)) => int.cast_unsigned(),
                        _ => size.max,
                    },
                    None => size.max,
                };
                sized(size.scaled(2.0 * TRAVERSAL), Estimate { min: 0, max })
            }
            "join" => {
                let target = target?;
                let list = self.library_size(target);
                let mut size = match self.item(target) {
                    Some((item, _)) => list.times(item),
                    None => Estimate::fixed(0),
                };
                if let Some(separator) = arguments.first() {
                    let separators =
                        Estimate { min: list.min.saturating_sub(1), max: list.max.saturating_sub(1) };
                    size = size.add(self.library_size(*separator).times(separators));
                }
                sized(size.scaled(TRAVERSAL), size)
            }
            "find" | "findAll" if !arguments.is_empty() => {
                let size = self.library_size(target?);
                let text = size.add(Estimate::fixed(1)).scaled(TRAVERSAL);
                let pattern = self.library_size(arguments[0]).scaled(PATTERN);
                sized(text.times(pattern), Estimate { min: 0, max: size.max })
            }
            "ip" if overload == "cidr_ip" => fixed(1),
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver"
                if !arguments.is_empty() =>
            {
                plain(self.library_size(arguments[0]).scaled(TRAVERSAL))
            }
            "ip.isCanonical" if !arguments.is_empty() => {
                plain(self.library_size(arguments[0]).scaled(2.0 * TRAVERSAL))
            }
            "containsIP" | "containsCIDR" if !arguments.is_empty() => {
                let size = Estimate { min: 4, max: 16 };
                let mut cost = size.add(size).scaled(TRAVERSAL);
                if function == "containsCIDR" {
                    cost = cost.add(size.scaled(TRAVERSAL)).add(Estimate::fixed(1));
                }
                if overload.ends_with("_string") {
                    cost = cost.add(self.library_size(arguments[0]).scaled(TRAVERSAL));
                }
                plain(cost)
            }
            "validate" if !arguments.is_empty() => {
                plain(self.library_size(arguments[0]).scaled(TRAVERSAL).scaled(128.0 * PATTERN))
            }
            "_==_" if arguments.len() == 2 => {
                let (left, right) =
                    (self.checked.ty(arguments[0]).clone(), self.checked.ty(arguments[1]).clone());
                if left != right {
                    return None;
                }
                match &left {
                    Type::Opaque(name, _) if matches!(&**name, "net.IP" | "net.CIDR") => fixed(1),
                    Type::Struct(name) => match &**name {
                        "kubernetes.Quantity" | "kubernetes.Semver" => fixed(1),
                        "kubernetes.NamedFormat" => plain(Estimate { min: 1, max: 64 }.scaled(TRAVERSAL)),
                        "kubernetes.URL" => {
                            let max = self.size(arguments[1]).map_or(1, |size| size.max);
                            plain(Estimate { min: 1, max }.scaled(TRAVERSAL))
                        }
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn function(
        &mut self,
        id: NodeId,
        function: &str,
        overload: &str,
        target: Option<NodeId>,
        arguments: &[NodeId],
        costs: &[Estimate],
    ) -> Call {
        let sum = costs.iter().fold(Estimate::fixed(0), |sum, cost| sum.add(*cost));
        if let Some(call) = self.by_overload(overload, target, arguments) {
            return Call { cost: call.cost.add(sum), size: call.size };
        }
        if let Some(call) = self.by_function(function, overload, target, arguments) {
            return Call { cost: call.cost.add(sum), size: call.size };
        }
        let plain = |cost: Estimate| Call { cost: cost.add(sum), size: None };
        match (overload, arguments) {
            ("string_format", _) if target.is_some() => {
                plain(self.size_or_unknown(target.unwrap_or_default()).scaled(TRAVERSAL))
            }
            ("string_to_bytes", [text]) => {
                let size = self.size_or_unknown(*text);
                let made = Estimate { min: size.min, max: size.max.wrapping_mul(4) };
                Call { cost: size.scaled(TRAVERSAL).add(sum), size: Some(made) }
            }
            ("bytes_to_string", [bytes]) => {
                let size = self.size_or_unknown(*bytes);
                let made = Estimate { min: size.min / 4, max: size.max };
                Call { cost: size.scaled(TRAVERSAL).add(sum), size: Some(made) }
            }
            ("strings_quote", [text]) => {
                let size = self.size_or_unknown(*text);
                let made = Estimate { min: size.min + 2, max: size.max.wrapping_mul(2).wrapping_add(2) };
                Call { cost: size.scaled(TRAVERSAL).add(sum), size: Some(made) }
            }
            ("starts_with_string" | "ends_with_string", [part]) => {
                plain(self.size_or_unknown(*part).scaled(TRAVERSAL))
            }
            ("in_list", [_, list]) => plain(self.size_or_unknown(*list)),
            ("matches_string", [pattern]) => {
                let text = self.size_or_unknown(target.unwrap_or_default());
                let text = text.add(Estimate::fixed(1)).scaled(TRAVERSAL);
                plain(text.times(self.size_or_unknown(*pattern).scaled(PATTERN)))
            }
            ("contains_string", [part]) => {
                let text = self.size_or_unknown(target.unwrap_or_default()).scaled(TRAVERSAL);
                plain(text.times(self.size_or_unknown(*part).scaled(TRAVERSAL)))
            }
            ("logical_or" | "logical_and", [_, _]) => {
                Call { cost: Estimate { min: costs[0].min, max: costs[0].add(costs[1]).max }, size: None }
            }
            ("conditional", [_, if_true, if_false]) => {
                let size = self.size_or_unknown(*if_true).union(self.size_or_unknown(*if_false));
                if let (Some(one), Some(other)) = (self.entries_of(*if_true), self.entries_of(*if_false)) {
                    let key = one.key.union(other.key);
                    let value = one.value.union(other.value);
                    self.entries.insert(id, Entries { is_list: one.is_list, key, value });
                }
                Call { cost: costs[0].add(costs[1].union(costs[2])), size: Some(size) }
            }
            ("add_string" | "add_bytes" | "add_list", [left, right]) => {
                let size = self.size_or_unknown(*left).add(self.size_or_unknown(*right));
                if let (Some(one), Some(other)) = (self.entries_of(*left), self.entries_of(*right)) {
                    let key = one.key.union(other.key);
                    let value = one.value.union(other.value);
                    self.entries.insert(id, Entries { is_list: one.is_list, key, value });
                }
                let cost = if overload == "add_list" { Estimate::fixed(1) } else { size.scaled(TRAVERSAL) };
                Call { cost: cost.add(sum), size: Some(size) }
            }
            (
                "less_string"
                | "greater_string"
                | "less_equals_string"
                | "greater_equals_string"
                | "less_bytes"
                | "greater_bytes"
                | "less_equals_bytes"
                | "greater_equals_bytes"
                | "equals"
                | "not_equals",
                [left, right],
            ) => {
                let max = self.size_or_unknown(*left).max.min(self.size_or_unknown(*right).max);
                plain(Estimate { min: u64::from(max > 0), max }.scaled(TRAVERSAL))
            }
            _ => plain(Estimate::fixed(1)),
        }
    }
}

/// How long a text is after replacement.
fn replaced(size: Estimate, old: Estimate, new: Estimate) -> Estimate {
    let (mut count, mut kept) = (Estimate::fixed(0), Estimate::fixed(0));
    if old.min == 0 {
        count.max = size.max.saturating_add(1);
        kept.max = size.max;
    } else if new.max <= old.min {
        kept.max = size.max;
    } else {
        count.max = size.max.div_ceil(old.min);
    }
    if old.max == 0 {
        count.min = size.min.saturating_add(1);
        kept.min = size.min;
    } else if old.max <= new.min {
        kept.min = size.min;
    } else {
        count.min = size.min.div_ceil(old.max);
    }
    count.times(new).add(kept)
}

fn is_scalar(ty: &Type) -> bool {
    match ty {
        Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
        other => other.unwrap_optional().is_some_and(is_scalar),
    }
}
