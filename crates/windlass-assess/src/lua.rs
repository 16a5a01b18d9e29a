//! Users' own checks and actions, written in Lua as for Argo CD.
//!
//! Argo CD runs gopher-lua: Lua 5.1 with `goto`. Here Lua 5.4 runs, with the names that 5.1 had and 5.4 has not. A
//! script sees the object as `obj`, and of Lua's libraries the base, `string`, `table` and `math`, and of `os` the
//! functions `time` and `date`. It can reach no file, no program and no other script.
//!
//! A script ends after [`MAX_INSTRUCTIONS`] or [`MAX_SECONDS`], and has at most [`MAX_MEMORY`] bytes; all name themselves
//! in the error. Each step of matching a pattern counts as an instruction.

mod patterns;
mod values;

pub(crate) use values::date;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mlua::chunk::ChunkMode;
use mlua::{HookTriggers, Lua, LuaOptions, StdLib, Value as LuaValue, VmState};
use windlass_kube::{Object, Value};
use windlass_model::{Health, HealthStatus};

use crate::Check;

/// A second's work, about: Argo CD stops a script after a second.
pub const MAX_INSTRUCTIONS: u64 = 20_000_000;

/// Where single instructions take long, as when they join texts of many megabytes, the clock ends the script: after more
/// seconds than a busy machine makes of one.
pub const MAX_SECONDS: i64 = 5;

/// What a script may allocate: the largest object that a cluster stores takes a few megabytes as tables.
pub const MAX_MEMORY: usize = 64 * 1024 * 1024;

/// How often the budget is looked at.
const INSTRUCTIONS_A_LOOK: u32 = 1_000;

/// Names of Lua 5.1 that Lua 5.4 has not, and names that nobody is to have.
const PRELUDE: &str = r"
table.getn = function(list) return #list end
table.maxn = function(list)
  local most = 0
  for key in pairs(list) do if type(key) == 'number' and key > most then most = key end end
  return most
end
table.foreach = function(list, with) for key, value in pairs(list) do with(key, value) end end
unpack = table.unpack
math.pow = function(a, b) return a ^ b end
math.mod = math.fmod
string.gfind = string.gmatch
local text_only = load
load = function(text, name) return text_only(text, name, 't') end
loadstring = load
print = function() end
dofile, loadfile, package, collectgarbage = nil, nil, nil, nil
require = function(name)
  local known = { os = os, string = string, table = table, math = math }
  if known[name] == nil then error('module ' .. tostring(name) .. ' is not there', 0) end
  return known[name]
end
";

/// Why a script gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LuaError {
    /// It is no Lua.
    #[error("the script cannot be read: {0}")]
    Syntax(String),
    /// It raised an error.
    #[error("the script failed: {0}")]
    Failed(String),
    /// It took more than [`MAX_INSTRUCTIONS`].
    #[error("the script was stopped after {MAX_INSTRUCTIONS} instructions")]
    Instructions,
    /// It took longer than [`MAX_SECONDS`].
    #[error("the script was stopped after {MAX_SECONDS} seconds")]
    Seconds,
    /// It took more than [`MAX_MEMORY`].
    #[error("the script was stopped at {MAX_MEMORY} bytes of memory")]
    Memory,
    /// It gave something that is not asked for.
    #[error("the script returned {found}, not {expected}")]
    Returned {
        /// What it gave.
        found: String,
        /// What is asked for.
        expected: &'static str,
    },
}

/// Seconds since 1970, for `os.time` and `os.date`: this crate has no clock of its own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A script with what it needs.
#[derive(Clone)]
pub struct Script {
    source: Arc<str>,
    clock: Clock,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("bytes", &self.source.len()).finish_non_exhaustive()
    }
}

impl Script {
    /// Takes the text of a script.
    #[must_use]
    pub fn new(source: &str, clock: Clock) -> Self {
        Self { source: source.into(), clock }
    }

    /// What the script says of an object's health; `None` when it says nothing.
    ///
    /// A status that is none is Unknown, "Lua returned an invalid health status", as Argo CD has it.
    ///
    /// # Errors
    ///
    /// [`LuaError`].
    pub fn health(&self, object: &Object) -> Result<Option<Health>, LuaError> {
        let returned = self.run("health.lua", object, None)?;
        let table = match &returned {
            Value::Null => return Ok(None),
            Value::Object(table) => table,
            Value::Array(items) if items.is_empty() => return Ok(None),
            other => {
                return Err(LuaError::Returned { found: other.type_name().into(), expected: "a table" });
            }
        };
        let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default();
        let status = match text("status") {
            "" => return Ok(None),
            "Healthy" => HealthStatus::Healthy,
            "Suspended" => HealthStatus::Suspended,
            "Progressing" => HealthStatus::Progressing,
            "Missing" => HealthStatus::Missing,
            "Degraded" => HealthStatus::Degraded,
            "Unknown" => HealthStatus::Unknown,
            _ => {
                let message = "Lua returned an invalid health status";
                return Ok(Some(Health::new(HealthStatus::Unknown, message)));
            }
        };
        Ok(Some(Health::new(status, text("message"))))
    }

    /// Runs the script with the object as `obj` and, where they are given, parameters as `actionParams`.
    pub(crate) fn run(
        &self,
        name: &str,
        object: &Object,
        parameters: Option<&Value>,
    ) -> Result<Value, LuaError> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default()).map_err(|error| failure(&error, false))?;
        lua.set_memory_limit(MAX_MEMORY).map_err(|error| failure(&error, false))?;
        let spent = Arc::new(AtomicU64::new(0));
        let (counted, clock) = (spent.clone(), self.clock.clone());
        let began = clock();
        let is_late = Arc::new(AtomicBool::new(false));
        let late = is_late.clone();
        lua.set_hook(HookTriggers::new().every_nth_instruction(INSTRUCTIONS_A_LOOK), move |_, _| {
            let spent = counted.fetch_add(u64::from(INSTRUCTIONS_A_LOOK), Ordering::Relaxed);
            if spent >= MAX_INSTRUCTIONS {
                return Err(mlua::Error::runtime("too many instructions"));
            }
            if clock().saturating_sub(began) > MAX_SECONDS {
                late.store(true, Ordering::Relaxed);
                return Err(mlua::Error::runtime("too many seconds"));
            }
            Ok(VmState::Continue)
        })
        .map_err(|error| failure(&error, false))?;
        let run = || -> mlua::Result<Value> {
            patterns::install(&lua, &spent)?;
            lua.load(PRELUDE).set_name("prelude").exec()?;
            let globals = lua.globals();
            globals.set("os", values::os(&lua, self.clock.clone())?)?;
            globals.set("obj", values::to_lua(&lua, &object.to_value())?)?;
            if let Some(parameters) = parameters {
                globals.set("actionParams", values::to_lua(&lua, parameters)?)?;
            }
            let returned: LuaValue =
                lua.load(&*self.source).set_name(format!("={name}")).set_mode(ChunkMode::Text).eval()?;
            values::from_lua(&returned, Some(&object.to_value()), 0)
        };
        run().map_err(|error| match is_late.load(Ordering::Relaxed) {
            true => LuaError::Seconds,
            false => failure(&error, spent.load(Ordering::Relaxed) >= MAX_INSTRUCTIONS),
        })
    }
}

/// As a check it tells its failure as Unknown, so that it is seen.
impl Check for Script {
    fn assess(&self, object: &Object) -> Option<Health> {
        match self.health(object) {
            Ok(health) => health,
            Err(error) => Some(Health::new(HealthStatus::Unknown, error.to_string())),
        }
    }
}

fn failure(error: &mlua::Error, too_long: bool) -> LuaError {
    /// Longer messages are cut: a traceback helps nobody in a status.
    const LONGEST: usize = 300;
    if too_long {
        return LuaError::Instructions;
    }
    let first_line =
        |text: &str| text.lines().next().unwrap_or_default().chars().take(LONGEST).collect::<String>();
    match error {
        mlua::Error::MemoryError(_) => LuaError::Memory,
        mlua::Error::SyntaxError { message, .. } => LuaError::Syntax(first_line(message)),
        mlua::Error::RuntimeError(message) => LuaError::Failed(first_line(message)),
        mlua::Error::CallbackError { cause, .. } => failure(cause, too_long),
        other => LuaError::Failed(first_line(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    fn script(source: &str) -> Script {
        Script::new(source, Arc::new(|| 1_700_000_000))
    }

    fn object() -> Object {
        let object = value!({
            "apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"},
            "spec": {"replicas": 3, "nothing": null, "list": [1, 2]}, "status": {"phase": "Ready"}
        });
        Object::try_new(object).unwrap()
    }

    #[test]
    fn a_script_tells_health() {
        let found = script(
            "hs = {}\nif obj.status.phase == 'Ready' and obj.spec.nothing == nil then\n\
             hs.status = 'Healthy'\nhs.message = obj.spec.replicas .. ' of ' .. table.getn(obj.spec.list)\nend\n\
             for i, v in ipairs(obj.spec.list) do if v == 1 then goto continue end hs.last = v ::continue:: end\n\
             return hs",
        );
        assert_eq!(found.health(&object()), Ok(Some(Health::new(HealthStatus::Healthy, "3 of 2"))));
        assert_eq!(script("return {}").health(&object()), Ok(None));
        assert_eq!(script("return nil").health(&object()), Ok(None));
        let bad = script("return {status = 'Fine'}").health(&object()).unwrap().unwrap();
        assert_eq!(bad.status, HealthStatus::Unknown);
    }

    #[test]
    fn limits_name_themselves() {
        assert_eq!(script("while true do end").health(&object()), Err(LuaError::Instructions));
        assert_eq!(
            script("pcall(function() while true do end end) while true do end").health(&object()),
            Err(LuaError::Instructions)
        );
        assert_eq!(
            script("local s = 'x' while true do s = s .. s end").health(&object()),
            Err(LuaError::Memory)
        );
        // Patterns that would go on for longer than anybody waits, whatever takes them.
        for call in ["text:find(pattern)", "text:gsub(pattern, '')"] {
            let hostile =
                format!("local text, pattern = ('a'):rep(200), ('a-'):rep(60) .. 'b' local _ = {call}");
            assert_eq!(script(&hostile).health(&object()), Err(LuaError::Instructions), "{call}");
        }
        assert_eq!(
            script("local s = ('x'):rep(1000000) return s:gsub('x', s)").health(&object()),
            Err(LuaError::Memory)
        );
        // Single instructions that take long are ended by the clock.
        let ticks = std::sync::atomic::AtomicI64::new(0);
        let clock: Clock = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed));
        let slow = Script::new("while true do end", clock);
        assert_eq!(slow.health(&object()), Err(LuaError::Seconds));
        assert!(matches!(script("return (").health(&object()), Err(LuaError::Syntax(_))));
        assert!(matches!(script("return obj.none.x").health(&object()), Err(LuaError::Failed(_))));
        assert!(matches!(script("return 5").health(&object()), Err(LuaError::Returned { .. })));
    }

    #[test]
    fn nothing_outside_can_be_reached() {
        for name in [
            "io",
            "os.execute",
            "os.getenv",
            "os.exit",
            "os.remove",
            "dofile",
            "loadfile",
            "package",
            "debug",
        ] {
            let found = script(&format!(
                "if {name} == nil then return {{status = 'Healthy'}} end return {{status = 'Degraded'}}"
            ));
            assert_eq!(found.health(&object()).unwrap().unwrap().status, HealthStatus::Healthy, "{name}");
        }
        let bytecode =
            script("return {status = load(string.dump(function() end)) == nil and 'Healthy' or 'Degraded'}");
        assert_eq!(bytecode.health(&object()).unwrap().unwrap().status, HealthStatus::Healthy);
    }

    #[test]
    fn time_is_what_it_is_told() {
        let found = script(
            "return {status = 'Healthy', message = os.date('!%Y-%m-%dT%H:%M:%SZ') .. ' ' .. os.time({year=2023, month=11, day=14, hour=22, min=13, sec=20})}",
        );
        let message = found.health(&object()).unwrap().unwrap().message;
        assert_eq!(message, "2023-11-14T22:13:20Z 1700000000");
    }
}
