//! Values to YAML, byte for byte as Go's packages print them.
//!
//! ```
//! use windlass_yaml::{to_yaml, value};
//! assert_eq!(to_yaml(&value!({"on": ["yes", 1, "a: b"]})), "\"on\":\n- \"yes\"\n- 1\n- 'a: b'\n");
//! ```

pub(crate) use scalar::scalar_line;

mod analysis;
mod node;
mod order;
mod scalar;
mod value;
mod writer;

pub use node::nodes_to_yaml;
pub use value::{to_yaml, to_yaml_with};

use crate::resolve::{Dialect, Resolved, resolve};

/// How YAML is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlStyle {
    /// Whose quoting rules, key order and layout of lists hold.
    pub dialect: Dialect,
    /// Spaces for each level, 2 to 9; anything else counts as 2.
    pub indent: usize,
    /// Whether a list in a map stands two columns further left than `indent` says, its dashes below the key;
    /// only yaml.v3 can do otherwise.
    pub compact_sequences: bool,
    /// From which column on long lines are folded at blanks.
    pub width: Option<usize>,
}

impl YamlStyle {
    /// `sigs.k8s.io/yaml`'s `Marshal`: what kubectl and Helm's `toYaml` print.
    pub const SIGS: Self =
        Self { dialect: Dialect::Sigs, indent: 2, compact_sequences: true, width: Some(80) };

    /// yaml.v3's encoder with two spaces: what Helm's `toYamlPretty` prints.
    pub const V3: Self = Self { dialect: Dialect::V3, indent: 2, compact_sequences: false, width: None };

    /// yaml.v3's encoder with two spaces and lists not indented: what Kustomize prints.
    pub const KYAML: Self = Self { compact_sequences: true, ..Self::V3 };
}

/// Whether a plain scalar with this text would be read as something else than a string, by this dialect or by
/// other YAML readers that the dialect takes care of.
fn needs_quotes(text: &str, dialect: Dialect) -> bool {
    if resolve(text, dialect, true) != Resolved::Str || is_base60(text) {
        return true;
    }
    dialect == Dialect::V3 && matches!(resolve(text, Dialect::Sigs, false), Resolved::Bool(_))
}

/// YAML 1.1's sexagesimal numbers: `[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?`.
fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((whole, rest)) = unsigned.split_once(':') else { return false };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !whole.starts_with(|c: char| c.is_ascii_digit()) || !is_digits(whole) {
        return false;
    }
    let (groups, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    is_digits(fraction)
        && groups.split(':').all(|group| match group.as_bytes() {
            [last] => last.is_ascii_digit(),
            [b'0'..=b'5', last] => last.is_ascii_digit(),
            _ => false,
        })
}
