//! Validates values against a schema, keyword by keyword.

use std::collections::{BTreeSet, HashMap};

use gotemplate::Value;
use windlass_go::re2::Regex;
use windlass_yaml::{Map as SchemaMap, Value as Schema};

use super::document::{Document, Draft};
use super::failure::{Failure, FailureKind, all_quoted, count, number, quoted};
use super::format;

/// What is wrong with the values, if anything is.
///
/// # Errors
/// A schema that cannot be used.
pub(super) fn validate(document: &Document, values: &Value) -> Result<Option<Failure>, String> {
    let mut validator = Validator {
        document,
        at: Vec::new(),
        patterns: HashMap::new(),
        active: Vec::new(),
        steps: 0,
        problem: None,
    };
    let result = validator.schema(document.root(), values, &mut Unevaluated::default());
    match validator.problem {
        Some(problem) => Err(problem),
        None => Ok(result.err()),
    }
}

/// How deep schemas may refer to schemas.
const MAX_DEPTH: usize = 512;

/// How many schemas may be tried: combinations of combinations can be many.
const MAX_STEPS: usize = 2_000_000;

struct Validator<'a> {
    document: &'a Document,
    /// The path of the value that is being looked at.
    at: Vec<String>,
    patterns: HashMap<&'a str, Option<Regex>>,
    /// The schemas that are being tried, with how deep the value is: for cycles.
    active: Vec<(*const Schema, usize)>,
    steps: usize,
    /// Why the schema cannot be used.
    problem: Option<String>,
}

type Outcome = Result<(), Failure>;

/// Whether a number is outside of a bound.
type Outside = fn(f64, f64) -> bool;

/// Members and items that no keyword has looked at yet; kept only where a schema asks for it.
#[derive(Clone, Default)]
struct Unevaluated {
    is_needed: bool,
    members: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unevaluated {
    fn of(value: &Value) -> Self {
        let mut unevaluated = Self { is_needed: true, ..Self::default() };
        match value {
            Value::Map(map) => {
                unevaluated.members = map.keys().iter().map(|key| key.lossy().into_owned()).collect();
            }
            Value::List(list) => unevaluated.items = (0..list.len()).collect(),
            _ => {}
        }
        unevaluated
    }

    fn keep_only(&mut self, other: &Self) {
        self.members.retain(|member| other.members.contains(member));
        self.items.retain(|item| other.items.contains(item));
    }
}

impl<'a> Validator<'a> {
    fn fail(&self, text: impl Into<String>) -> Failure {
        self.fail_with(text, FailureKind::Keyword, Vec::new())
    }

    fn fail_with(&self, text: impl Into<String>, kind: FailureKind, causes: Vec<Failure>) -> Failure {
        Failure { at: self.at.clone(), text: text.into(), kind, causes }
    }

    fn give_up(&mut self, problem: impl Into<String>) -> Outcome {
        if self.problem.is_none() {
            self.problem = Some(problem.into());
        }
        Ok(())
    }

    /// Tries a schema on a value.
    fn schema(&mut self, schema: &'a Schema, value: &Value, outer: &mut Unevaluated) -> Outcome {
        if self.problem.is_some() {
            return Ok(());
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return self.give_up(format!("schema takes more than {MAX_STEPS} steps (limit MAX_STEPS)"));
        }
        let map = match schema {
            Schema::Bool(false) => return Err(self.fail("false schema")),
            Schema::Object(map) if !map.is_empty() => map,
            _ => return Ok(()),
        };
        let entry = (std::ptr::from_ref(schema), self.at.len());
        if self.active.contains(&entry) {
            return Err(self.fail("reference cycle"));
        }
        if self.active.len() >= MAX_DEPTH {
            return self.give_up(format!("schemas nest deeper than {MAX_DEPTH} (limit MAX_DEPTH)"));
        }
        self.active.push(entry);
        let result = self.keywords(map, value, outer);
        self.active.pop();
        result
    }

    fn keywords(&mut self, schema: &'a SchemaMap, value: &Value, outer: &mut Unevaluated) -> Outcome {
        let draft = self.document.draft;
        if draft < Draft::Y2019
            && let Some(reference) = schema.get("$ref").and_then(Schema::as_str)
        {
            // All other keywords are ignored.
            return self.reference(reference, value, outer);
        }
        self.basics(schema, value)?;
        let needs_own = draft >= Draft::Y2019
            && (schema.contains_key("unevaluatedProperties") || schema.contains_key("unevaluatedItems"));
        let mut unevaluated =
            if needs_own || outer.is_needed { Unevaluated::of(value) } else { Unevaluated::default() };
        let mut failures = Vec::new();
        if let Some(reference) = schema.get("$ref").and_then(Schema::as_str) {
            failures.extend(self.reference(reference, value, &mut unevaluated).err());
        }
        match value {
            Value::Map(map) => self.object(schema, value, map, &mut unevaluated, &mut failures),
            Value::List(list) => self.array(schema, list.items(), &mut unevaluated, &mut failures),
            Value::String(text) => self.string(schema, &text.lossy(), &mut failures),
            _ => self.number(schema, value, &mut failures),
        }
        if draft >= Draft::Y2019 {
            for keyword in ["$recursiveRef", "$dynamicRef"] {
                if let Some(reference) = schema.get(keyword).and_then(Schema::as_str) {
                    failures.extend(self.reference(reference, value, &mut unevaluated).err());
                }
            }
        }
        self.combinations(schema, value, &mut unevaluated, &mut failures);
        if draft >= Draft::Y2019 {
            self.unevaluated(schema, value, &mut unevaluated, &mut failures);
        }
        match failures.len() {
            0 => {
                if outer.is_needed {
                    outer.keep_only(&unevaluated);
                }
                Ok(())
            }
            1 => Err(failures.remove(0)),
            _ => Err(self.fail_with("validation failed", FailureKind::Group, failures)),
        }
    }

    /// The keywords of which the first that fails ends it.
    fn basics(&mut self, schema: &'a SchemaMap, value: &Value) -> Outcome {
        let found = type_name(value);
        if let Some(wanted) = schema.get("type") {
            const ORDER: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
            let wanted: Vec<&str> = match wanted {
                Schema::Array(names) => names.iter().filter_map(Schema::as_str).collect(),
                other => other.as_str().into_iter().collect(),
            };
            let wanted: Vec<&str> = ORDER.into_iter().filter(|name| wanted.contains(name)).collect();
            let matches = wanted.contains(&found) || wanted.contains(&"integer") && is_integer(value);
            if !wanted.is_empty() && !matches {
                return Err(self.fail(format!("got {found}, want {}", wanted.join(" or "))));
            }
        }
        let draft = self.document.draft;
        if draft >= Draft::Six
            && let Some(wanted) = schema.get("const")
            && !equals(value, wanted)
        {
            return Err(self.fail(match wanted {
                Schema::Array(_) | Schema::Object(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(wanted)),
            }));
        }
        if let Some(Schema::Array(wanted)) = schema.get("enum")
            && !wanted.iter().any(|wanted| equals(value, wanted))
        {
            let is_simple = wanted.iter().all(|one| !matches!(one, Schema::Array(_) | Schema::Object(_)));
            return Err(self.fail(match wanted.as_slice() {
                _ if !is_simple => "'enum' failed".to_owned(),
                [wanted] => format!("value must be {}", shown(wanted)),
                wanted => {
                    let all: Vec<_> = wanted.iter().map(shown).collect();
                    format!("value must be one of {}", all.join(", "))
                }
            }));
        }
        if draft < Draft::Y2019
            && let Some(name) = schema.get("format").and_then(Schema::as_str)
            && let Value::String(text) = value
            && let Err(problem) = format::check(name, &text.lossy())
        {
            return Err(self.fail(format!("{} is not valid {name}: {problem}", quoted(&text.lossy()))));
        }
        Ok(())
    }

    fn reference(&mut self, reference: &'a str, value: &Value, unevaluated: &mut Unevaluated) -> Outcome {
        let document = self.document;
        let target = match document.resolve(reference) {
            Ok(target) => target,
            Err(problem) => return self.give_up(problem),
        };
        self.schema(target, value, unevaluated).map_err(|failure| {
            let causes = if failure.kind == FailureKind::Group { failure.causes } else { vec![failure] };
            self.fail_with("validation failed", FailureKind::Reference, causes)
        })
    }

    fn below(&mut self, schema: &'a Schema, value: &Value, part: String) -> Outcome {
        self.at.push(part);
        let result = self.schema(schema, value, &mut Unevaluated::default());
        self.at.pop();
        result
    }

    fn object(
        &mut self,
        schema: &'a SchemaMap,
        value: &Value,
        map: &gotemplate::Map,
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        let draft = self.document.draft;
        let members = map.entries();
        let n_members = members.len();
        if let Some(least) = int(schema, "minProperties").filter(|least| n_members < *least) {
            failures.push(self.fail(format!(
                "minProperties: got {}, want {}",
                count(n_members),
                count(least)
            )));
        }
        if let Some(most) = int(schema, "maxProperties").filter(|most| n_members > *most) {
            failures.push(self.fail(format!(
                "maxProperties: got {}, want {}",
                count(n_members),
                count(most)
            )));
        }
        let missing = missing(map, schema.get("required"));
        if let [one] = missing.as_slice() {
            failures.push(self.fail(format!("missing property {}", quoted(one))));
        } else if !missing.is_empty() {
            failures.push(self.fail(format!("missing properties {}", all_quoted(&missing))));
        }
        for (name, dependency) in
            members_of(schema, "dependencies").filter(|(name, _)| map.contains_key(*name))
        {
            match dependency {
                Schema::Array(_) => failures.extend(self.depends(map, name, dependency)),
                dependency => failures.extend(self.schema(dependency, value, unevaluated).err()),
            }
        }
        let patterns: Vec<_> = members_of(schema, "patternProperties").collect();
        let mut additional = Vec::new();
        for (key, member) in &members {
            let name = key.lossy().into_owned();
            let mut is_evaluated = false;
            if let Some(property) = schema.get("properties").and_then(|properties| properties.get(&name)) {
                is_evaluated = true;
                failures.extend(self.below(property, member, name.clone()).err());
            }
            for (pattern, property) in &patterns {
                if self.matches(pattern, &name) {
                    is_evaluated = true;
                    failures.extend(self.below(property, member, name.clone()).err());
                }
            }
            if !is_evaluated && let Some(property) = schema.get("additionalProperties") {
                is_evaluated = true;
                match property {
                    Schema::Bool(true) => {}
                    Schema::Bool(false) => additional.push(name.clone()),
                    property => failures.extend(self.below(property, member, name.clone()).err()),
                }
            }
            if is_evaluated {
                unevaluated.members.remove(&name);
            }
        }
        if !additional.is_empty() {
            let names = all_quoted(&additional);
            failures.push(self.fail(format!("additional properties {names} not allowed")));
        }
        if draft == Draft::Four {
            return;
        }
        if let Some(names) = schema.get("propertyNames") {
            for (key, _) in &members {
                let name = Value::String(key.clone());
                let at = std::mem::take(&mut self.at);
                let result = self.schema(names, &name, &mut Unevaluated::default());
                self.at = at;
                if let Err(failure) = result {
                    let causes =
                        if failure.kind == FailureKind::Group { failure.causes } else { vec![failure] };
                    let text = format!("invalid propertyName {}", quoted(&key.lossy()));
                    failures.push(self.fail_with(text, FailureKind::Keyword, causes));
                }
            }
        }
        if draft < Draft::Y2019 {
            return;
        }
        for (name, dependency) in members_of(schema, "dependentSchemas") {
            if map.contains_key(name) {
                failures.extend(self.schema(dependency, value, unevaluated).err());
            }
        }
        for (name, dependency) in members_of(schema, "dependentRequired") {
            if map.contains_key(name) {
                failures.extend(self.depends(map, name, dependency));
            }
        }
    }

    fn depends(&self, map: &gotemplate::Map, name: &str, wanted: &Schema) -> Option<Failure> {
        let missing = missing(map, Some(wanted));
        (!missing.is_empty()).then(|| {
            self.fail(format!("properties {} required, if {} exists", all_quoted(&missing), quoted(name)))
        })
    }

    fn array(
        &mut self,
        schema: &'a SchemaMap,
        items: &[Value],
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        let n_items = items.len();
        if let Some(least) = int(schema, "minItems").filter(|least| n_items < *least) {
            failures.push(self.fail(format!("minItems: got {}, want {}", count(n_items), count(least))));
        }
        if let Some(most) = int(schema, "maxItems").filter(|most| n_items > *most) {
            failures.push(self.fail(format!("maxItems: got {}, want {}", count(n_items), count(most))));
        }
        if schema.get("uniqueItems").and_then(Schema::as_bool) == Some(true)
            && let Some((first, second)) = duplicates(items)
        {
            let (first, second) = (count(first), count(second));
            failures.push(self.fail(format!("items at {first} and {second} are equal")));
        }
        let is_new = self.document.draft >= Draft::Y2020;
        let (first, rest) = match (is_new, schema.get("items")) {
            (true, rest) => (schema.get("prefixItems"), rest),
            (false, Some(list @ Schema::Array(_))) => (Some(list), schema.get("additionalItems")),
            (false, every) => (None, every),
        };
        let first = first.and_then(Schema::as_array).map_or(&[][..], |list| list.as_slice());
        let n_first = first.len().min(n_items);
        for (idx, (schema, item)) in first.iter().zip(items).enumerate() {
            failures.extend(self.below(schema, item, idx.to_string()).err());
            unevaluated.items.remove(&idx);
        }
        match rest {
            None => {}
            Some(Schema::Bool(false)) if !is_new && n_first == n_items => {}
            Some(Schema::Bool(false)) if !is_new => {
                let n_more = count(n_items - n_first);
                failures.push(self.fail(format!("last {n_more} additionalItem(s) not allowed")));
            }
            Some(rest) => {
                for (idx, item) in items.iter().enumerate().skip(n_first) {
                    failures.extend(self.below(rest, item, idx.to_string()).err());
                }
                unevaluated.items.clear();
            }
        }
        if self.document.draft >= Draft::Six
            && let Some(wanted) = schema.get("contains")
        {
            self.contains(schema, wanted, items, unevaluated, failures);
        }
    }

    fn contains(
        &mut self,
        schema: &'a SchemaMap,
        wanted: &'a Schema,
        items: &[Value],
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        let mut causes = Vec::new();
        let mut matched = Vec::new();
        for (idx, item) in items.iter().enumerate() {
            match self.below(wanted, item, idx.to_string()) {
                Ok(()) => {
                    matched.push(idx.to_string());
                    if self.document.draft >= Draft::Y2020 {
                        unevaluated.items.remove(&idx);
                    }
                }
                Err(failure) => causes.push(failure),
            }
        }
        let is_counted = self.document.draft >= Draft::Y2019;
        let (n_matched, places) = (count(matched.len()), matched.join(" "));
        match int(schema, "minContains").filter(|_| is_counted) {
            Some(least) if matched.len() < least => {
                let least = count(least);
                let text = if matched.is_empty() {
                    format!("min {least} items required to match contains schema, but none matched")
                } else {
                    format!(
                        "min {least} items required to match contains schema, but matched {n_matched} items at {places}"
                    )
                };
                failures.push(self.fail_with(text, FailureKind::Keyword, causes));
            }
            Some(_) => {}
            None if matched.is_empty() => {
                failures.push(self.fail_with("no items match contains schema", FailureKind::Keyword, causes));
            }
            None => {}
        }
        if let Some(most) = int(schema, "maxContains").filter(|most| is_counted && matched.len() > *most) {
            let most = count(most);
            failures.push(self.fail(format!(
                "max {most} items required to match contains schema, but matched {n_matched} items at {places}"
            )));
        }
    }

    fn string(&mut self, schema: &'a SchemaMap, text: &str, failures: &mut Vec<Failure>) {
        let n_chars = text.chars().count();
        if let Some(least) = int(schema, "minLength").filter(|least| n_chars < *least) {
            failures.push(self.fail(format!("minLength: got {}, want {}", count(n_chars), count(least))));
        }
        if let Some(most) = int(schema, "maxLength").filter(|most| n_chars > *most) {
            failures.push(self.fail(format!("maxLength: got {}, want {}", count(n_chars), count(most))));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Schema::as_str)
            && !self.matches(pattern, text)
        {
            failures.push(self.fail(format!("{} does not match pattern {}", quoted(text), quoted(pattern))));
        }
    }

    fn matches(&mut self, pattern: &'a str, text: &str) -> bool {
        let compiled = self.patterns.entry(pattern).or_insert_with(|| Regex::parse(pattern).ok());
        match compiled {
            Some(regex) => regex.is_match(text),
            None => {
                let problem = format!("invalid regex {}", crate::text::quote(pattern));
                let _ = self.give_up(problem);
                true
            }
        }
    }

    fn number(&self, schema: &SchemaMap, value: &Value, failures: &mut Vec<Failure>) {
        let Some(found) = as_number(value) else { return };
        // Draft 4 makes bounds exclusive by a flag beside them; the newer ones have keywords of their own.
        let flag = |keyword: &str| schema.get(keyword).and_then(Schema::as_bool) == Some(true);
        let bound = |keyword: &str| {
            schema.get(keyword).and_then(|bound| match bound {
                Schema::Int(_) | Schema::Float(_) => bound.as_float(),
                _ => None,
            })
        };
        let checks: [(&str, Option<f64>, Outside); 4] = [
            ("minimum", bound("minimum").filter(|_| !flag("exclusiveMinimum")), |found, bound| found < bound),
            ("maximum", bound("maximum").filter(|_| !flag("exclusiveMaximum")), |found, bound| found > bound),
            (
                "exclusiveMinimum",
                if flag("exclusiveMinimum") { bound("minimum") } else { bound("exclusiveMinimum") },
                |found, bound| found <= bound,
            ),
            (
                "exclusiveMaximum",
                if flag("exclusiveMaximum") { bound("maximum") } else { bound("exclusiveMaximum") },
                |found, bound| found >= bound,
            ),
        ];
        for (keyword, bound, is_outside) in checks {
            if let Some(bound) = bound.filter(|bound| is_outside(found, *bound)) {
                failures.push(self.fail(format!("{keyword}: got {}, want {}", number(found), number(bound))));
            }
        }
        if let Some(step) = bound("multipleOf").filter(|step| *step != 0.0) {
            // Decimal fractions are compared as such: 0.3 is a multiple of 0.1.
            let quotient = found / step;
            if (quotient - quotient.round()).abs() > 1e-9 * quotient.abs().max(1.0) {
                failures.push(self.fail(format!("multipleOf: got {}, want {}", number(found), number(step))));
            }
        }
    }

    fn combinations(
        &mut self,
        schema: &'a SchemaMap,
        value: &Value,
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        if let Some(not) = schema.get("not")
            && self.schema(not, value, unevaluated).is_ok()
        {
            failures.push(self.fail("'not' failed"));
        }
        let all =
            |keyword| schema.get(keyword).and_then(Schema::as_array).map_or(&[][..], |all| all.as_slice());
        let causes: Vec<_> =
            all("allOf").iter().filter_map(|one| self.schema(one, value, unevaluated).err()).collect();
        if !causes.is_empty() {
            failures.push(self.fail_with("'allOf' failed", FailureKind::Keyword, causes));
        }
        let any = all("anyOf");
        let mut causes = Vec::new();
        let mut is_matched = any.is_empty();
        for one in any {
            match self.schema(one, value, unevaluated) {
                Ok(()) => {
                    is_matched = true;
                    // All have to be tried where it matters what they look at.
                    if unevaluated.members.is_empty() && unevaluated.items.is_empty() {
                        break;
                    }
                }
                Err(failure) => causes.push(failure),
            }
        }
        if !is_matched {
            failures.push(self.fail_with("'anyOf' failed", FailureKind::Keyword, causes));
        }
        self.one_of(all("oneOf"), value, unevaluated, failures);
        if self.document.draft >= Draft::Seven
            && let Some(condition) = schema.get("if")
        {
            let branch = if self.schema(condition, value, unevaluated).is_ok() { "then" } else { "else" };
            if let Some(branch) = schema.get(branch) {
                failures.extend(self.schema(branch, value, unevaluated).err());
            }
        }
    }

    fn one_of(
        &mut self,
        alternatives: &'a [Schema],
        value: &Value,
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        let mut matched = None;
        let mut causes = Vec::new();
        for (idx, one) in alternatives.iter().enumerate() {
            match (self.schema(one, value, unevaluated), matched) {
                (Ok(()), None) => matched = Some(idx),
                (Ok(()), Some(first)) => {
                    let (first, second) = (count(first), count(idx));
                    failures.push(self.fail(format!("'oneOf' failed, subschemas {first}, {second} matched")));
                    break;
                }
                (Err(failure), None) => causes.push(failure),
                (Err(_), Some(_)) => {}
            }
        }
        if matched.is_none() && !alternatives.is_empty() {
            failures.push(self.fail_with("'oneOf' failed, none matched", FailureKind::Keyword, causes));
        }
    }

    fn unevaluated(
        &mut self,
        schema: &'a SchemaMap,
        value: &Value,
        unevaluated: &mut Unevaluated,
        failures: &mut Vec<Failure>,
    ) {
        if let (Value::Map(map), Some(rest)) = (value, schema.get("unevaluatedProperties")) {
            for name in std::mem::take(&mut unevaluated.members) {
                if let Some(member) = map.get(&name) {
                    failures.extend(self.below(rest, &member, name).err());
                }
            }
        }
        if let (Value::List(list), Some(rest)) = (value, schema.get("unevaluatedItems")) {
            for idx in std::mem::take(&mut unevaluated.items) {
                failures.extend(self.below(rest, &list.items()[idx], idx.to_string()).err());
            }
        }
    }
}

fn members_of<'a>(
    schema: &'a SchemaMap,
    keyword: &str,
) -> impl Iterator<Item = (&'a str, &'a Schema)> + use<'a> {
    let members = schema.get(keyword).and_then(Schema::as_object);
    members.into_iter().flat_map(|members| members.iter().map(|(name, schema)| (name.as_str(), schema)))
}

fn missing(map: &gotemplate::Map, wanted: Option<&Schema>) -> Vec<String> {
    let wanted = wanted.and_then(Schema::as_array).map_or(&[][..], |wanted| wanted.as_slice());
    let names = wanted.iter().filter_map(Schema::as_str).filter(|name| !map.contains_key(*name));
    names.map(str::to_owned).collect()
}

fn int(schema: &SchemaMap, keyword: &str) -> Option<usize> {
    usize::try_from(schema.get(keyword)?.as_int()?).ok()
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        value if value.is_nil() => "null",
        _ => "number",
    }
}

#[expect(clippy::cast_precision_loss, reason = "values are floats already, but for those of flags")]
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => Some(*float),
        value => value.as_int().map(|int| int as f64),
    }
}

fn is_integer(value: &Value) -> bool {
    as_number(value).is_some_and(|number| number.fract() == 0.0)
}

fn equals(value: &Value, wanted: &Schema) -> bool {
    match (value, wanted) {
        (Value::Bool(value), Schema::Bool(wanted)) => value == wanted,
        (Value::String(value), Schema::String(wanted)) => value == wanted.as_str(),
        (Value::List(value), Schema::Array(wanted)) => {
            value.len() == wanted.len()
                && value.items().iter().zip(wanted.iter()).all(|(value, wanted)| equals(value, wanted))
        }
        (Value::Map(value), Schema::Object(wanted)) => {
            value.len() == wanted.len()
                && value
                    .entries()
                    .iter()
                    .all(|(key, value)| wanted.get(&key.lossy()).is_some_and(|wanted| equals(value, wanted)))
        }
        (value, Schema::Null) => value.is_nil(),
        (value, Schema::Int(_) | Schema::Float(_)) => {
            as_number(value).is_some_and(|value| wanted.as_float() == Some(value))
        }
        _ => false,
    }
}

/// How many items are compared with each other at most; Helm compares them all.
const MAX_UNIQUE_ITEMS: usize = 4096;

fn duplicates(items: &[Value]) -> Option<(usize, usize)> {
    let items: Vec<_> =
        items.iter().take(MAX_UNIQUE_ITEMS).map(|item| item.to_yaml().unwrap_or_default()).collect();
    (0..items.len())
        .flat_map(|second| (0..second).map(move |first| (first, second)))
        .find(|(first, second)| items[*first] == items[*second])
}

/// A simple value of a schema, as messages show it.
fn shown(value: &Schema) -> String {
    match value {
        Schema::Null => "<nil>".to_owned(),
        Schema::Bool(bool) => bool.to_string(),
        Schema::Int(int) => int.to_string(),
        Schema::Float(float) => float.to_string(),
        Schema::String(text) => quoted(text),
        Schema::Array(_) | Schema::Object(_) => "value".to_owned(),
    }
}
