//! Versions and constraints, as Masterminds/semver has them.

use std::any::Any;
use std::sync::Arc;

use windlass_go::semver::{Constraint, Version};

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Kind, Methods, Number, Object, Str, Type, Value, types};

use super::arguments::{Answer, STRING, text};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("semver", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(pointer(parsed(&text(arguments, 0).lossy())?))
    }),
    Entry::new("semverCompare", Signature::fixed(&[STRING, STRING]), compare),
];

/// `*semver.Version`, which `semver` returns.
pub(super) static POINTER: Type = Type::new("*semver.Version", Kind::Ptr).with_methods(&METHODS);
/// `semver.Version`, which the methods that count up return.
static STRUCT: Type = Type::new("semver.Version", Kind::Struct).with_methods(&STRUCT_METHODS);
static METHODS: VersionMethods = VersionMethods { of_pointer: true };
static STRUCT_METHODS: VersionMethods = VersionMethods { of_pointer: false };

fn parsed(version: &str) -> Result<Version, FunctionError> {
    Version::parse(version).map_err(|error| {
        // Go prints the cause in the same line.
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default()).into()
    })
}

fn compare(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let constraint = Constraint::parse(&text(arguments, 0).lossy()).map_err(|error| error.to_string())?;
    Ok(constraint.matches(&parsed(&text(arguments, 1).lossy())?).into())
}

fn pointer(version: Version) -> Value {
    Value::Object(Arc::new(VersionObject { version: Some(version), kind: &POINTER }))
}

/// A version without anything, as a deep copy makes it: it has no fields that can be copied.
pub(super) fn empty() -> Value {
    Value::Object(Arc::new(VersionObject { version: None, kind: &POINTER }))
}

/// A version as a template holds it.
struct VersionObject {
    version: Option<Version>,
    kind: &'static Type,
}

impl VersionObject {
    fn printed(&self) -> String {
        let Some(version) = &self.version else { return "0.0.0".to_owned() };
        let mut printed = format!("{}.{}.{}", version.major(), version.minor(), version.patch());
        for (mark, part) in [('-', version.prerelease()), ('+', version.metadata())] {
            if !part.is_empty() {
                printed.push(mark);
                printed.push_str(part);
            }
        }
        printed
    }
}

impl Object for VersionObject {
    fn type_of(&self) -> &'static Type {
        self.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn text(&self) -> Option<Str> {
        Some(self.printed().into())
    }

    fn encoded(&self) -> Value {
        self.printed().into()
    }

    fn equals(&self, other: &dyn Object) -> bool {
        let original = |version: &Self| version.version.as_ref().map(|version| version.original().to_owned());
        other.as_any().downcast_ref().is_some_and(|other: &Self| original(other) == original(self))
    }
}

/// The version as it was written, for those who show values.
#[must_use]
pub fn original(value: &Value) -> Option<String> {
    let object = value.downcast::<VersionObject>()?;
    Some(object.version.as_ref().map_or_else(String::new, |version| version.original().to_owned()))
}

struct VersionMethods {
    /// Whether the methods that need a pointer are among them.
    of_pointer: bool,
}

static NO_ARGUMENTS: Signature = Signature::fixed(&[]);
static ONE_VERSION: Signature = Signature::fixed(&[&POINTER]);
static ONE_TEXT: Signature = Signature::fixed(&[&types::STRING]);

impl Methods for VersionMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "String" | "IncMajor" | "IncMinor"
            | "IncPatch" => Some(&NO_ARGUMENTS),
            "SetPrerelease" | "SetMetadata" => Some(&ONE_TEXT),
            _ if !self.of_pointer => None,
            "Original" => Some(&NO_ARGUMENTS),
            "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" => {
                Some(&ONE_VERSION)
            }
            _ => None,
        }
    }

    fn call(&self, receiver: &Value, name: &str, _: &mut Context<'_>, arguments: &[Value]) -> Answer {
        let Some(object) = receiver.downcast::<VersionObject>() else { return Err("not a version".into()) };
        let zero = || parsed("0.0.0");
        let version = match &object.version {
            Some(version) => version.clone(),
            None => zero()?,
        };
        let number = |number| Value::Number(Number::Uint64(number));
        let (major, minor, patch) = (version.major(), version.minor(), version.patch());
        let ordering = || {
            let other = arguments.first()?.downcast::<VersionObject>()?.version.clone();
            Some(version.cmp(&other.or_else(|| zero().ok())?))
        };
        Ok(match name {
            "Major" => number(major),
            "Minor" => number(minor),
            "Patch" => number(patch),
            "Prerelease" => version.prerelease().into(),
            "Metadata" => version.metadata().into(),
            "Original" => version.original().into(),
            "String" => object.printed().into(),
            "IncMajor" => counted(&version, [major.wrapping_add(1), 0, 0])?,
            "IncMinor" => counted(&version, [major, minor.wrapping_add(1), 0])?,
            // What comes after a pre-release is the release itself.
            "IncPatch" if !version.prerelease().is_empty() => counted(&version, [major, minor, patch])?,
            "IncPatch" => counted(&version, [major, minor, patch.wrapping_add(1)])?,
            "SetPrerelease" => with_parts(&version, &text(arguments, 0).lossy(), version.metadata())?,
            "SetMetadata" => with_parts(&version, version.prerelease(), &text(arguments, 0).lossy())?,
            _ => {
                let Some(ordering) = ordering() else {
                    return Err(super::arguments::NIL_DEREFERENCE.into());
                };
                match name {
                    "Compare" => Value::Int(ordering as i64),
                    "Equal" => ordering.is_eq().into(),
                    "LessThan" => ordering.is_lt().into(),
                    "LessThanEqual" => ordering.is_le().into(),
                    "GreaterThan" => ordering.is_gt().into(),
                    _ => ordering.is_ge().into(),
                }
            }
        })
    }
}

/// Another version with these numbers, written with a `v` if the first was.
fn counted(version: &Version, [major, minor, patch]: [u64; 3]) -> Answer {
    let prefix = if version.original().starts_with('v') { "v" } else { "" };
    let version = parsed(&format!("{prefix}{major}.{minor}.{patch}"))?;
    Ok(Value::Object(Arc::new(VersionObject { version: Some(version), kind: &STRUCT })))
}

fn with_parts(version: &Version, prerelease: &str, metadata: &str) -> Answer {
    let prefix = if version.original().starts_with('v') { "v" } else { "" };
    let mut written = format!("{prefix}{}.{}.{}", version.major(), version.minor(), version.patch());
    for (mark, part) in [('-', prerelease), ('+', metadata)] {
        if !part.is_empty() {
            written.push(mark);
            written.push_str(part);
        }
    }
    Ok(Value::Object(Arc::new(VersionObject { version: Some(parsed(&written)?), kind: &STRUCT })))
}
