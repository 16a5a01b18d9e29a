//! Label selectors: requirements on labels, all of which must hold.

use std::fmt;
use std::str::FromStr;

use super::ParseSelectorError;
use crate::go_print::quote;
use crate::{Map, Object, Str, Value, validation};

/// Requirements on labels, all of which must hold; with none, everything matches.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LabelSelector {
    requirements: Vec<LabelRequirement>,
    nothing: bool,
}

/// What is asked of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    key: Str,
    operator: LabelOperator,
    values: Vec<Str>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelOperator {
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`; holds for an absent label too.
    NotIn,
    /// `key=a`
    Equals,
    /// `key==a`
    DoubleEquals,
    /// `key!=a`; holds for an absent label too.
    NotEquals,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>1`
    GreaterThan,
    /// `key<1`
    LessThan,
}

use LabelOperator::{
    DoesNotExist, DoubleEquals, Equals, Exists, GreaterThan, In, LessThan, NotEquals, NotIn,
};

impl LabelSelector {
    /// Matches everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Matches nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Takes requirements; they are sorted by key.
    #[must_use]
    pub fn new(mut requirements: Vec<LabelRequirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Labels that must be there with these values, as old-style selectors (of a Service) have them.
    #[must_use]
    pub fn from_map(labels: &Map) -> Self {
        let equal = labels.iter().map(|(key, value)| LabelRequirement {
            key: key.clone(),
            operator: Equals,
            values: vec![value.as_str().unwrap_or_default().into()],
        });
        Self::new(equal.collect())
    }

    /// Reads a LabelSelector object: `matchLabels` and `matchExpressions`. `None` and null match nothing, an
    /// empty object matches everything.
    ///
    /// # Errors
    ///
    /// As the server says it for a bad key, value or operator.
    pub fn from_object(selector: Option<&Value>) -> Result<Self, ParseSelectorError> {
        let Some(selector) = selector.filter(|selector| !selector.is_null()) else {
            return Ok(Self::nothing());
        };
        let mut requirements = Vec::new();
        for (key, value) in
            selector.get("matchLabels").and_then(Value::as_object).iter().flat_map(|map| map.iter())
        {
            let value = value.as_str().unwrap_or_default();
            requirements.push(LabelRequirement::try_new(key.clone(), Equals, vec![value.into()])?);
        }
        for expression in selector.items_at(&["matchExpressions"]) {
            let operator = match expression.str_at(&["operator"]).unwrap_or_default() {
                "In" => In,
                "NotIn" => NotIn,
                "Exists" => Exists,
                "DoesNotExist" => DoesNotExist,
                other => {
                    let message = format!("{} is not a valid label selector operator", quote(other));
                    return Err(ParseSelectorError(message));
                }
            };
            let key = expression.str_at(&["key"]).unwrap_or_default();
            let values = expression.items_at(&["values"]).iter().filter_map(Value::as_str).map(Str::new);
            requirements.push(LabelRequirement::try_new(key, operator, values.collect())?);
        }
        Ok(Self::new(requirements))
    }

    /// The requirements, by key.
    #[must_use]
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.requirements
    }

    /// Whether it restricts nothing.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether labels match.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        self.matches_with(|key| labels?.get(key)?.as_str())
    }

    /// Whether the labels of an object match.
    #[must_use]
    pub fn matches_object(&self, object: &Object) -> bool {
        self.matches_with(|key| object.label(key))
    }

    /// Whether labels match that `get` looks up.
    #[must_use]
    pub fn matches_with<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing
            && self.requirements.iter().all(|requirement| requirement.holds_for(get(&requirement.key)))
    }

    /// The one value that the label `key` must have, if there is just one.
    #[must_use]
    pub fn exact(&self, key: &str) -> Option<&str> {
        let requirement = self.requirements.iter().find(|requirement| requirement.key == key)?;
        match (requirement.operator, requirement.values.as_slice()) {
            (Equals | DoubleEquals | In, [only]) => Some(only),
            _ => None,
        }
    }
}

impl LabelRequirement {
    /// Checks and takes a requirement.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, as the server says it.
    pub fn try_new(
        key: impl Into<Str>,
        operator: LabelOperator,
        values: Vec<Str>,
    ) -> Result<Self, ParseSelectorError> {
        let key = key.into();
        let mut errors: Vec<String> = Vec::new();
        let key_errors = validation::label_key(&key);
        if !key_errors.is_empty() {
            errors.push(format!("key: Invalid value: {}: {}", quote(&key), key_errors.join("; ")));
        }
        let wrong_values = |rule: &str| {
            let list = if values.is_empty() && operator != Exists && operator != DoesNotExist {
                "null".to_owned()
            } else {
                let values = Value::Array(values.iter().cloned().map(Value::from).collect());
                format!("{values:?}")
            };
            format!("values: Invalid value: {list}: {rule}")
        };
        match operator {
            In | NotIn if values.is_empty() => {
                errors.push(wrong_values("for 'in', 'notin' operators, values set can't be empty"));
            }
            Equals | DoubleEquals | NotEquals if values.len() != 1 => {
                errors.push(wrong_values("exact-match compatibility requires one single value"));
            }
            Exists | DoesNotExist if !values.is_empty() => {
                errors.push(wrong_values("values set must be empty for exists and does not exist"));
            }
            GreaterThan | LessThan => {
                if values.len() != 1 {
                    errors.push(wrong_values("for 'Gt', 'Lt' operators, exactly one value is required"));
                }
                for (idx, value) in
                    values.iter().enumerate().filter(|(_, value)| value.parse::<i64>().is_err())
                {
                    errors.push(format!(
                        "values[{idx}]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
                        quote(value)
                    ));
                }
            }
            _ => {}
        }
        for (idx, value) in values.iter().enumerate() {
            let of_value = validation::label_value(value);
            if !of_value.is_empty() {
                let rules = of_value.join("; ");
                errors.push(format!("values[{idx}][{key}]: Invalid value: {}: {rules}", quote(value)));
            }
        }
        let mut distinct: Vec<String> = Vec::new();
        for error in errors {
            if !distinct.contains(&error) {
                distinct.push(error);
            }
        }
        match distinct.len() {
            0 => Ok(Self { key, operator, values }),
            1 => Err(ParseSelectorError(distinct.swap_remove(0))),
            _ => Err(ParseSelectorError(format!("[{}]", distinct.join(", ")))),
        }
    }

    /// The label's key.
    #[must_use]
    pub fn key(&self) -> &Str {
        &self.key
    }

    /// How it is compared.
    #[must_use]
    pub fn operator(&self) -> LabelOperator {
        self.operator
    }

    /// With what it is compared.
    #[must_use]
    pub fn values(&self) -> &[Str] {
        &self.values
    }

    fn holds_for(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|have| have == value);
        match self.operator {
            In | Equals | DoubleEquals => value.is_some_and(listed),
            NotIn | NotEquals => !value.is_some_and(listed),
            Exists => value.is_some(),
            DoesNotExist => value.is_none(),
            GreaterThan | LessThan => {
                let limit = self.values.first().and_then(|value| value.parse::<i64>().ok());
                match (value.and_then(|value| value.parse::<i64>().ok()), limit) {
                    (Some(value), Some(limit)) if self.operator == GreaterThan => value > limit,
                    (Some(value), Some(limit)) => value < limit,
                    _ => false,
                }
            }
        }
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operator == DoesNotExist {
            f.write_str("!")?;
        }
        f.write_str(&self.key)?;
        let (open, close) = match self.operator {
            Exists | DoesNotExist => return Ok(()),
            Equals => ("=", ""),
            DoubleEquals => ("==", ""),
            NotEquals => ("!=", ""),
            GreaterThan => (">", ""),
            LessThan => ("<", ""),
            In => (" in (", ")"),
            NotIn => (" notin (", ")"),
        };
        let mut values: Vec<&str> = self.values.iter().map(Str::as_str).collect();
        values.sort_unstable();
        write!(f, "{open}{}{close}", values.join(","))
    }
}

/// Prints the syntax that [`str::parse`] reads; a selector of nothing prints as the empty string.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, requirement) in self.requirements.iter().enumerate() {
            let comma = if idx == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

/// Reads `x in (foo,,baz),y,z notin (),!w,v=1,u!=2`.
impl FromStr for LabelSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        super::parse::parse(text).map(Self::new)
    }
}
