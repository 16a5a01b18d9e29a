//! What Helm prints beside its result.

use std::fmt;

/// Something that Helm tells the user without failing, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<String> for Warning {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Warning {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
