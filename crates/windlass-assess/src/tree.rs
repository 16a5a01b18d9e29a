//! Objects under their owners.

use std::collections::HashMap;

use windlass_kube::{ObjectRef, Str};
use windlass_model::Health;

use crate::Info;

/// One object of a forest.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub key: ObjectRef,
    /// `metadata.uid`.
    pub uid: Str,
    /// The uids of its owners, the controller first if there is one.
    pub owners: Vec<Str>,
    /// Its health; `None` for a kind without a check.
    pub health: Option<Health>,
    /// What else is shown beside it.
    pub info: Vec<Info>,
}

/// Objects arranged under their owners, in an order that depends on the objects alone.
///
/// Each object stands once: under the first of its owners that is here, or as a root when none is. Roots and
/// children are sorted by group, kind, namespace and name. Owners that form a circle, which no API server should
/// store, are broken up at the first of them in that order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forest {
    nodes: Vec<Node>,
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
}

impl Forest {
    /// Arranges objects; of two with the same uid the later in order is a root of its own.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.sort_by(|a, b| (&a.key, &a.uid).cmp(&(&b.key, &b.uid)));
        let mut by_uid: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
        for (idx, node) in nodes.iter().enumerate() {
            by_uid.entry(&node.uid).or_insert(idx);
        }
        let parent_of = |(idx, node): (usize, &Node)| {
            node.owners
                .iter()
                .filter_map(|owner| by_uid.get(owner.as_str()).copied())
                .find(|owner| *owner != idx)
        };
        let mut parents: Vec<Option<usize>> = nodes.iter().enumerate().map(parent_of).collect();
        break_circles(&mut parents);

        let mut roots = Vec::new();
        let mut children = vec![Vec::new(); nodes.len()];
        for (idx, parent) in parents.into_iter().enumerate() {
            match parent {
                Some(parent) => children[parent].push(idx),
                None => roots.push(idx),
            }
        }
        Self { nodes, roots, children }
    }

    /// Every node with its depth, each before its children; roots have depth 0.
    pub fn walk(&self) -> impl Iterator<Item = (usize, &Node)> {
        let mut pending: Vec<(usize, usize)> = self.roots.iter().rev().map(|root| (0, *root)).collect();
        std::iter::from_fn(move || {
            let (depth, idx) = pending.pop()?;
            pending.extend(self.children[idx].iter().rev().map(|child| (depth + 1, *child)));
            Some((depth, &self.nodes[idx]))
        })
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Makes a root of the first member of every circle of parents.
fn break_circles(parents: &mut [Option<usize>]) {
    /// What is known of a node: the walk that reached it first, if any.
    const UNSEEN: usize = usize::MAX;
    let mut seen_by = vec![UNSEEN; parents.len()];
    for start in 0..parents.len() {
        let mut here = start;
        while seen_by[here] == UNSEEN {
            seen_by[here] = start;
            match parents[here] {
                Some(parent) if seen_by[parent] == start => {
                    // Walks start at each node in order, so the first member of the circle is its least on this walk.
                    let first = least_of_circle(parents, parent);
                    parents[first] = None;
                }
                Some(parent) => here = parent,
                None => {}
            }
        }
    }
}

fn least_of_circle(parents: &[Option<usize>], member: usize) -> usize {
    let mut least = member;
    let mut here = member;
    while let Some(parent) = parents[here].filter(|parent| *parent != member) {
        least = least.min(parent);
        here = parent;
    }
    least
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(kind: &str, name: &str, owners: &[&str]) -> Node {
        Node {
            key: ObjectRef::new("", kind, "shop", name),
            uid: name.into(),
            owners: owners.iter().map(Str::new).collect(),
            health: None,
            info: Vec::new(),
        }
    }

    fn print(nodes: Vec<Node>) -> String {
        let forest = Forest::new(nodes);
        assert_eq!(forest.walk().count(), forest.len());
        forest.walk().map(|(depth, node)| format!("{}{}\n", "  ".repeat(depth), node.key.name)).collect()
    }

    #[test]
    fn objects_stand_under_their_owners() {
        let nodes = vec![
            node("Pod", "web-1-b", &["web-1"]),
            node("Service", "web-service", &[]),
            node("ReplicaSet", "web-1", &["web"]),
            node("Pod", "web-1-a", &["web-1"]),
            node("Deployment", "web", &[]),
            node("ReplicaSet", "web-0", &["gone", "web"]),
            node("Pod", "stray", &["gone"]),
        ];
        let expected = "web\n  web-0\n  web-1\n    web-1-a\n    web-1-b\nstray\nweb-service\n";
        assert_eq!(print(nodes.clone()), expected);
        assert_eq!(print(nodes.into_iter().rev().collect()), expected);
    }

    #[test]
    fn circles_are_broken() {
        assert_eq!(print(vec![node("A", "self", &["self"])]), "self\n");
        let circle = vec![
            node("A", "x", &["z"]),
            node("B", "y", &["x"]),
            node("C", "z", &["y"]),
            node("D", "w", &["y"]),
        ];
        assert_eq!(print(circle), "x\n  y\n    z\n    w\n");
        // A tail that comes first in order is no reason to be torn off.
        let tail = vec![node("A", "tail", &["c"]), node("B", "b", &["c"]), node("C", "c", &["b"])];
        assert_eq!(print(tail), "b\n  c\n    tail\n");
    }

    proptest! {
        #[test]
        fn every_object_stands_once(owners in proptest::collection::vec(proptest::collection::vec(0..12_usize, 0..3), 0..12)) {
            let nodes: Vec<Node> = owners.iter().enumerate().map(|(idx, owners)| {
                let owners: Vec<String> = owners.iter().map(|owner| format!("n{owner}")).collect();
                let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
                node("Pod", &format!("n{idx}"), &owners)
            }).collect();
            let forest = Forest::new(nodes.clone());
            prop_assert_eq!(forest.walk().count(), nodes.len());
            prop_assert_eq!(Forest::new(nodes.into_iter().rev()), forest);
        }
    }
}
