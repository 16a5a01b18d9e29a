//! A pattern as a small machine, run on all its states at once.

use std::sync::Arc;

use super::parse::{Part, Sequence};

/// A compiled pattern. Shared: a clone costs a reference count.
#[derive(Clone, Debug)]
pub(super) struct Program {
    steps: Arc<[Step]>,
    separators: Arc<[char]>,
}

#[derive(Debug)]
enum Step {
    /// Takes one character, then goes to the next step.
    Take(Take),
    /// Goes on at both places.
    Fork(usize, usize),
    Jump(usize),
    Accept,
}

#[derive(Debug)]
enum Take {
    Char(char),
    NoSeparator,
    Any,
    Set { is_negated: bool, chars: Box<[char]> },
    Range { is_negated: bool, low: char, high: char },
}

impl Program {
    pub(super) fn compile(pattern: &Sequence, separators: &[char]) -> Self {
        let mut steps = Vec::new();
        compile_sequence(pattern, &mut steps);
        steps.push(Step::Accept);
        Self { steps: steps.into(), separators: separators.into() }
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        let mut current = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        self.enter(0, &mut current);
        for char in text.chars() {
            for idx in 0..current.list.len() {
                let state = current.list[idx];
                if let Step::Take(take) = &self.steps[state]
                    && take.takes(char, &self.separators)
                {
                    self.enter(state + 1, &mut next);
                }
            }
            if next.list.is_empty() {
                return false;
            }
            std::mem::swap(&mut current, &mut next);
            next.clear();
        }
        current.list.iter().any(|state| matches!(self.steps[*state], Step::Accept))
    }

    /// Adds a state and all that are reached from it without taking a character.
    fn enter(&self, state: usize, states: &mut States) {
        states.pending.push(state);
        while let Some(state) = states.pending.pop() {
            if std::mem::replace(&mut states.is_in[state], true) {
                continue;
            }
            match self.steps[state] {
                Step::Take(_) | Step::Accept => states.list.push(state),
                Step::Jump(to) => states.pending.push(to),
                Step::Fork(a, b) => states.pending.extend([b, a]),
            }
        }
    }
}

impl Take {
    fn takes(&self, char: char, separators: &[char]) -> bool {
        match self {
            Self::Char(wanted) => *wanted == char,
            Self::NoSeparator => !separators.contains(&char),
            Self::Any => true,
            Self::Set { is_negated, chars } => chars.contains(&char) != *is_negated,
            Self::Range { is_negated, low, high } => (*low..=*high).contains(&char) != *is_negated,
        }
    }
}

/// Recurses as deep as the parser let alternatives nest.
fn compile_sequence(sequence: &Sequence, steps: &mut Vec<Step>) {
    for part in sequence {
        match part {
            Part::Char(char) => steps.push(Step::Take(Take::Char(*char))),
            Part::Single => steps.push(Step::Take(Take::NoSeparator)),
            Part::Set { is_negated, chars } => {
                let (is_negated, chars) = (*is_negated, chars.as_slice().into());
                steps.push(Step::Take(Take::Set { is_negated, chars }));
            }
            Part::Range { is_negated, low, high } => {
                let (is_negated, low, high) = (*is_negated, *low, *high);
                steps.push(Step::Take(Take::Range { is_negated, low, high }));
            }
            Part::Any | Part::Super => {
                let take = if matches!(part, Part::Any) { Take::NoSeparator } else { Take::Any };
                let start = steps.len();
                steps.push(Step::Fork(start + 1, start + 3));
                steps.push(Step::Take(take));
                steps.push(Step::Jump(start));
            }
            Part::Alternatives(alternatives) => compile_alternatives(alternatives, steps),
        }
    }
}

fn compile_alternatives(alternatives: &[Sequence], steps: &mut Vec<Step>) {
    let mut jumps = Vec::new();
    for (idx, alternative) in alternatives.iter().enumerate() {
        let is_last = idx + 1 == alternatives.len();
        let fork = steps.len();
        if !is_last {
            steps.push(Step::Fork(fork + 1, 0));
        }
        compile_sequence(alternative, steps);
        if !is_last {
            jumps.push(steps.len());
            steps.push(Step::Jump(0));
            steps[fork] = Step::Fork(fork + 1, steps.len());
        }
    }
    let end = steps.len();
    for jump in jumps {
        steps[jump] = Step::Jump(end);
    }
}

struct States {
    list: Vec<usize>,
    /// Empty but while states are entered; kept for its memory.
    pending: Vec<usize>,
    is_in: Vec<bool>,
}

impl States {
    fn new(len: usize) -> Self {
        Self { list: Vec::new(), pending: Vec::new(), is_in: vec![false; len] }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.is_in.fill(false);
    }
}
