//! The named formats that `format.…()` checks texts against.

use crate::value::Value;
use std::sync::{Arc, LazyLock};
use windlass_go::re2::Regex;
use windlass_go::time::{Time, Zone};
use windlass_kube::validation;

/// A format of strings.
#[derive(Debug)]
pub struct Format {
    pub(crate) name: &'static str,
    /// The name of the function.
    function: &'static str,
    check: fn(&str) -> Vec<String>,
    /// How long the pattern is taken to be when costs are counted.
    pub(crate) longest_pattern: u64,
}

fn prefix(check: fn(&str) -> Vec<String>, text: &str) -> Vec<String> {
    // A prefix may end where a name may not.
    match text.strip_suffix('-') {
        Some(rest) if !text.is_empty() => check(&format!("{rest}a")),
        _ => check(text),
    }
}

static FORMATS: [Format; 13] = [
    Format {
        function: "dns1123Label",
        name: "DNS1123Label",
        check: validation::dns1123_label,
        longest_pattern: 30,
    },
    Format {
        function: "dns1123Subdomain",
        name: "DNS1123Subdomain",
        check: validation::dns1123_subdomain,
        longest_pattern: 60,
    },
    Format {
        function: "dns1035Label",
        name: "DNS1035Label",
        check: validation::dns1035_label,
        longest_pattern: 30,
    },
    Format {
        function: "qualifiedName",
        name: "QualifiedName",
        check: validation::label_key,
        longest_pattern: 60,
    },
    Format {
        function: "dns1123LabelPrefix",
        name: "DNS1123LabelPrefix",
        check: |text| prefix(validation::dns1123_label, text),
        longest_pattern: 30,
    },
    Format {
        function: "dns1123SubdomainPrefix",
        name: "DNS1123SubdomainPrefix",
        check: |text| prefix(validation::dns1123_subdomain, text),
        longest_pattern: 60,
    },
    Format {
        function: "dns1035LabelPrefix",
        name: "DNS1035LabelPrefix",
        check: |text| prefix(validation::dns1035_label, text),
        longest_pattern: 30,
    },
    Format {
        function: "labelValue",
        name: "LabelValue",
        check: validation::label_value,
        longest_pattern: 40,
    },
    Format { function: "uri", name: "URI", check: uri, longest_pattern: 1103 },
    Format { function: "uuid", name: "uuid", check: uuid, longest_pattern: 70 },
    Format { function: "byte", name: "byte", check: byte, longest_pattern: 84 },
    Format { function: "date", name: "date", check: date, longest_pattern: 70 },
    Format { function: "datetime", name: "datetime", check: datetime, longest_pattern: 70 },
];

/// The format that a function is named after.
pub(crate) fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.function == name)
}

impl Format {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is wrong with a text, or nothing.
    pub(crate) fn validate(&self, text: &str) -> Value {
        let problems = (self.check)(text);
        Value::Optional((!problems.is_empty()).then(|| Arc::new(Value::strings(problems))))
    }
}

fn problem(is_right: bool, message: &str) -> Vec<String> {
    if is_right { Vec::new() } else { vec![message.to_owned()] }
}

fn uri(text: &str) -> Vec<String> {
    match super::url::Url::parse(text) {
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    }
}

fn uuid(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::parse("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$").ok()
    });
    problem(PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text)), "does not match the UUID format")
}

fn byte(text: &str) -> Vec<String> {
    problem(!text.is_empty() && super::from_base64(text).is_some(), "invalid base64")
}

fn date(text: &str) -> Vec<String> {
    problem(Time::parse("2006-01-02", text, &Zone::Utc).is_ok(), "invalid date")
}

fn datetime(text: &str) -> Vec<String> {
    let layouts = ["2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z07:00"];
    let is_right = layouts.iter().any(|layout| Time::parse(layout, &text.to_uppercase(), &Zone::Utc).is_ok());
    problem(is_right, "invalid datetime")
}
