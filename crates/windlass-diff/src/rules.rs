//! What people said about differences that do not count, ready for use.

use std::sync::Arc;

use windlass_go::glob::Gobwas;
use windlass_kube::ObjectRef;
use windlass_model::{Comparing, CountedStatus, IgnoreRule, KnownType};

use crate::jq::{Filter, JqError, Step};

/// Rules that were read: which fields of which objects do not count.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) known_types: Vec<(Applies, KnownType)>,
    pub(crate) ignore_aggregated_roles: bool,
    pub(crate) status: CountedStatus,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) applies: Applies,
    pub(crate) pointers: Vec<Vec<Step>>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) managers: Box<[windlass_kube::Str]>,
}

/// To which objects something applies.
#[derive(Debug, Clone)]
pub(crate) struct Applies {
    group: Option<Gobwas>,
    kind: Option<Gobwas>,
    /// `None` is any.
    name: Option<Option<Gobwas>>,
    namespace: Option<Option<Gobwas>>,
}

/// What of the rules cannot be used; the rest of them holds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleProblem {
    /// An expression cannot be used.
    #[error("jqPathExpressions {expression:?} cannot be used")]
    Expression {
        /// As it was written.
        expression: String,
        /// What is wrong with it.
        #[source]
        problem: JqError,
    },
    /// A pointer does not begin with a slash.
    #[error("jsonPointers {0:?} is no JSON pointer: it must begin with /")]
    Pointer(String),
}

impl Rules {
    /// Reads rules. What cannot be used is told and left out.
    #[must_use]
    pub fn compile(comparing: &Comparing) -> (Self, Vec<RuleProblem>) {
        let mut problems = Vec::new();
        let all = comparing.rules.iter().chain(comparing.system.rules.iter());
        let rules = all.map(|rule| Arc::new(Rule::read(rule, &mut problems))).collect();
        let known_types = comparing.system.known_types.iter();
        let known_types = known_types.map(|it| (Applies::new(&it.group, &it.kind, "", ""), it.clone()));
        let read = Self {
            rules,
            known_types: known_types.collect(),
            ignore_aggregated_roles: comparing.system.ignore_aggregated_roles,
            status: comparing.system.status,
        };
        (read, problems)
    }

    /// Whether something about `object` may not count.
    #[must_use]
    pub fn concern(&self, object: &ObjectRef) -> bool {
        self.rules.iter().any(|rule| rule.applies.to(object))
            || self.known_types.iter().any(|(applies, _)| applies.to(object))
            || (self.ignore_aggregated_roles && object.kind == "ClusterRole")
    }

    /// Whether there is nothing in them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
            && self.known_types.is_empty()
            && !self.ignore_aggregated_roles
            && self.status == CountedStatus::None
    }
}

impl Rule {
    fn read(rule: &IgnoreRule, problems: &mut Vec<RuleProblem>) -> Self {
        let mut pointers = Vec::new();
        for text in &rule.pointers {
            match pointer(text) {
                Some(steps) => pointers.push(steps),
                None => problems.push(RuleProblem::Pointer(text.to_string())),
            }
        }
        let mut filters = Vec::new();
        for text in &rule.expressions {
            match Filter::parse(text) {
                Ok(filter) => filters.push(filter),
                Err(problem) => {
                    problems.push(RuleProblem::Expression { expression: text.to_string(), problem });
                }
            }
        }
        Self {
            applies: Applies::new(&rule.group, &rule.kind, &rule.name, &rule.namespace),
            pointers,
            filters,
            managers: rule.managers.clone(),
        }
    }
}

impl Applies {
    /// Argo CD's globs (gobwas without separators); one that cannot be read matches nothing. An empty name or
    /// namespace is any; an empty group is the core group.
    pub(crate) fn new(group: &str, kind: &str, name: &str, namespace: &str) -> Self {
        let glob = |text: &str| Gobwas::compile(text, &[]).ok();
        let any = |text: &str| (!text.is_empty()).then(|| glob(text));
        Self { group: glob(group), kind: glob(kind), name: any(name), namespace: any(namespace) }
    }

    pub(crate) fn to(&self, object: &ObjectRef) -> bool {
        let is = |glob: &Option<Gobwas>, text: &str| glob.as_ref().is_some_and(|glob| glob.is_match(text));
        is(&self.group, &object.group)
            && is(&self.kind, &object.kind)
            && self.name.as_ref().is_none_or(|name| is(name, &object.name))
            && self.namespace.as_ref().is_none_or(|namespace| is(namespace, &object.namespace))
    }
}

/// The steps of a JSON pointer; positions look like members and are told apart when they meet a list.
fn pointer(text: &str) -> Option<Vec<Step>> {
    let rest = text.strip_prefix('/')?;
    let step = |part: &str| Step::Key(part.replace("~1", "/").replace("~0", "~").into());
    Some(rest.split('/').map(step).collect())
}
