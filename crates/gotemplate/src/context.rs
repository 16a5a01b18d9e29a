//! One execution: its limits, and what the embedding program lends it.

use std::any::Any;
use std::sync::Arc;

use crate::error::{ExecError, ExecErrorKind, LimitExceeded};
use crate::exec;
use crate::function::FunctionError;
use crate::set::TemplateSet;
use crate::tree::Template;
use crate::value::{Str, Value};

/// What bounds an execution. Each limit names itself in the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many templates may execute inside each other.
    pub depth: usize,
    /// How many nodes may be evaluated, together with what functions charge for their loops.
    pub steps: u64,
    /// How many bytes may be printed, outputs inside of functions included.
    pub output: usize,
    /// How many bytes functions may make, as they say themselves.
    pub memory: u64,
}

impl Limits {
    /// What `text/template` itself allows.
    pub const MAX_DEPTH: usize = 100_000;
    /// The largest public charts take some ten million; at a hundred million a render takes seconds.
    pub const MAX_STEPS: u64 = 100_000_000;
    /// Ten times what etcd could store of a whole release.
    pub const MAX_OUTPUT: usize = 64 << 20;
    /// A bound for strings and lists that functions make, dropped ones included.
    pub const MAX_MEMORY: u64 = 1 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: Self::MAX_DEPTH,
            steps: Self::MAX_STEPS,
            output: Self::MAX_OUTPUT,
            memory: Self::MAX_MEMORY,
        }
    }
}

/// A moment, as functions of time see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Seconds since 1970, in UTC.
    pub seconds: i64,
    /// Nanoseconds of that second.
    pub nanoseconds: u32,
}

/// What an execution may know of the world beyond its data.
pub trait World {
    /// What `now` is. Called once per use; a caller who wants stable output answers the same each time.
    fn now(&mut self) -> Instant;

    /// Fills `bytes` with chance: for `randAlphaNum`, `uuidv4`, keys and salts.
    fn random(&mut self, bytes: &mut [u8]);

    /// Whether the execution has to stop. Asked now and then, every few thousand steps.
    fn is_over(&mut self) -> bool {
        false
    }
}

/// A world where it is always 1970 and chance is a fixed sequence: for tests, and for templates that must not
/// depend on either.
#[derive(Clone, Debug, Default)]
pub struct NoWorld {
    state: u64,
}

impl World for NoWorld {
    fn now(&mut self) -> Instant {
        Instant { seconds: 0, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            // SplitMix64.
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = mixed.to_le_bytes()[7];
        }
    }
}

/// How many steps pass between two looks at the deadline.
const STEPS_BETWEEN_LOOKS: u64 = 4096;

/// One execution, as functions see it.
pub struct Context<'a> {
    limits: Limits,
    world: &'a mut dyn World,
    engine: Option<&'a mut dyn Any>,
    set: Arc<TemplateSet>,
    steps: u64,
    next_look: u64,
    memory: u64,
    pub(crate) output: usize,
    pub(crate) depth: usize,
    /// Whether something was asked of the world, so that another execution could print something else.
    asked_world: bool,
}

impl<'a> Context<'a> {
    /// An execution of templates of `set`.
    pub fn new(set: Arc<TemplateSet>, limits: Limits, world: &'a mut dyn World) -> Self {
        Self {
            limits,
            world,
            engine: None,
            set,
            steps: 0,
            next_look: STEPS_BETWEEN_LOOKS,
            memory: 0,
            output: 0,
            depth: 0,
            asked_world: false,
        }
    }

    /// This execution with state of the embedding engine.
    #[must_use]
    pub fn with_engine(mut self, engine: &'a mut dyn Any) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The engine's state, if it is a `T`.
    pub fn engine<T: 'static>(&mut self) -> Option<&mut T> {
        self.engine.as_mut()?.downcast_mut()
    }

    /// The templates among which the calling one was parsed.
    #[must_use]
    pub fn set(&self) -> &Arc<TemplateSet> {
        &self.set
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What time it is.
    pub fn now(&mut self) -> Instant {
        self.asked_world = true;
        self.world.now()
    }

    /// Fills `bytes` with chance.
    pub fn random(&mut self, bytes: &mut [u8]) {
        self.asked_world = true;
        self.world.random(bytes);
    }

    /// Whether anything asked for the time or for chance, so that the output is not a function of the data.
    #[must_use]
    pub fn asked_world(&self) -> bool {
        self.asked_world
    }

    /// Accounts for work. Functions that loop over something large call it, at best before they start.
    ///
    /// # Errors
    /// If the execution did too much, or its time is over.
    pub fn charge(&mut self, steps: u64) -> Result<(), LimitExceeded> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps < self.next_look {
            return Ok(());
        }
        self.next_look = self.steps.saturating_add(STEPS_BETWEEN_LOOKS);
        if self.steps > self.limits.steps {
            return Err(LimitExceeded::Steps(self.limits.steps));
        }
        if self.world.is_over() {
            return Err(LimitExceeded::Time);
        }
        Ok(())
    }

    /// Accounts for memory that a function is going to make, in bytes: for `repeat`, `until`, `indent`…
    ///
    /// # Errors
    /// If functions made too much.
    pub fn charge_memory(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        self.memory = self.memory.saturating_add(bytes as u64);
        if self.memory > self.limits.memory {
            return Err(LimitExceeded::Memory(self.limits.memory));
        }
        Ok(())
    }

    /// How many steps were taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Executes the template `name` of the calling template's set, and returns what it prints: what Helm's
    /// `include` is made of.
    ///
    /// # Errors
    /// What the execution fails with; `no template "NAME" associated with template "SET"` if there is none.
    pub fn execute(
        &mut self,
        name: &(impl AsRef<[u8]> + ?Sized),
        data: &Value,
    ) -> Result<Str, FunctionError> {
        let set = Arc::clone(&self.set);
        self.execute_in(&set, name, data)
    }

    /// Executes the template `name` of another set, within the limits of this execution.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn execute_in(
        &mut self,
        set: &Arc<TemplateSet>,
        name: &(impl AsRef<[u8]> + ?Sized),
        data: &Value,
    ) -> Result<Str, FunctionError> {
        let Some(template) = set.get(name) else {
            let kind = ExecErrorKind::NoTemplate { name: Str::from(name.as_ref()), set: set.name().clone() };
            return Err(ExecError { place: None, kind }.into());
        };
        self.execute_template(set, template, data)
    }

    /// Executes a template among those of `set`, within the limits of this execution: what Helm's `tpl` is made
    /// of, with a set made by [`TemplateSet::extend`] and the template that parsing into it returned.
    ///
    /// # Errors
    /// What the execution fails with.
    pub fn execute_template(
        &mut self,
        set: &Arc<TemplateSet>,
        template: &Template,
        data: &Value,
    ) -> Result<Str, FunctionError> {
        let mut output = Vec::new();
        let outer = std::mem::replace(&mut self.set, Arc::clone(set));
        let result = exec::execute(self, template, data, &mut output);
        self.set = outer;
        result?;
        Ok(Str::from(output))
    }

    /// Executes the template `name` and appends what it prints to `output`, as far as it comes.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn execute_to(
        &mut self,
        name: &(impl AsRef<[u8]> + ?Sized),
        data: &Value,
        output: &mut Vec<u8>,
    ) -> Result<(), ExecError> {
        let set = Arc::clone(&self.set);
        let Some(template) = set.get(name) else {
            let kind = ExecErrorKind::NoTemplate { name: Str::from(name.as_ref()), set: set.name().clone() };
            return Err(ExecError { place: None, kind });
        };
        exec::execute(self, template, data, output)
    }
}
