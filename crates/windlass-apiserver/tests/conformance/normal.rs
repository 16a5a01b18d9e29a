//! What cannot be equal in two runs, put into a form in which it is: uids, times, revisions, and what is
//! assigned at random. Which of two revisions of an object is the later one stays visible.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Captures, Regex};
use serde_json::Value;

use crate::scenario::Scenario;

/// A transcript in which only what may be compared is left.
pub(crate) fn normal(scenario: &Scenario, mut answers: Vec<Value>) -> Vec<Value> {
    let mut known = Known { text: scenario.text(), ..Known::default() };
    for answer in &answers {
        known.learn(answer);
    }
    let patterns = Patterns::new();
    for answer in &mut answers {
        known.rewrite("", answer, &patterns);
    }
    answers
}

struct Patterns {
    uid: Regex,
    time: Regex,
    number: Regex,
    age: Regex,
    token_volume: Regex,
}

impl Patterns {
    fn new() -> Self {
        let regex = |text| Regex::new(text).expect("a pattern");
        Self {
            uid: regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            time: regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
            number: regex(r"\b\d+\b"),
            age: regex(r"^\d+s$"),
            token_volume: regex("kube-api-access-[a-z0-9]{5}"),
        }
    }
}

#[derive(Default)]
struct Known {
    /// The scenario: what stands in it is no accident.
    text: String,
    uids: BTreeMap<String, usize>,
    /// The revisions that were seen of each object, by its uid.
    revisions: BTreeMap<String, BTreeSet<u64>>,
    /// Whether what is being rewritten says what is wrong with a patched object.
    in_patch_cause: bool,
    /// Generated names and what they become.
    generated: BTreeMap<String, String>,
}

impl Known {
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let text = |key: &str| map.get(key).and_then(Value::as_str);
                if let (Some(uid), Some(revision)) = (text("uid"), text("resourceVersion"))
                    && let Ok(revision) = revision.parse()
                {
                    self.revisions.entry(uid.to_owned()).or_default().insert(revision);
                }
                if let (Some(base), Some(name)) = (text("generateName"), text("name"))
                    && let Some(suffix) = name.strip_prefix(base)
                    && suffix.len() == 5
                {
                    let known = self.generated.len();
                    self.generated
                        .entry(name.to_owned())
                        .or_insert_with(|| format!("{base}GENERATED-{known}"));
                }
                map.values().for_each(|value| self.learn(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    fn rewrite(&mut self, key: &str, value: &mut Value, patterns: &Patterns) {
        match value {
            Value::Object(map) => {
                let uid = map.get("uid").and_then(Value::as_str).map(str::to_owned);
                let keys: Vec<String> =
                    map.keys().filter(|key| patterns.uid.is_match(key)).cloned().collect();
                for key in keys {
                    if let Some(value) = map.remove(&key) {
                        map.insert(self.rewrite_text("", &key, patterns), value);
                    }
                }
                // The original knows its authority here, and ours does not.
                map.remove("ca.crt");
                map.remove("f:ca.crt");
                if map.contains_key("kty") {
                    for part in ["kid", "x", "y"] {
                        map.insert(part.to_owned(), "KEY".into());
                    }
                }
                if map.contains_key("fieldsType") {
                    map.remove("time");
                }
                if matches!(map.get("reason").and_then(Value::as_str), Some("Conflict" | "Invalid"))
                    && let Some(Value::Array(causes)) =
                        map.get_mut("details").and_then(|it| it.get_mut("causes"))
                {
                    // The original goes through maps of managers and properties.
                    causes.sort_by_key(Value::to_string);
                    if let Some(Value::String(message)) = map.get_mut("message")
                        && let Some(start) = message.find(" is invalid: [")
                    {
                        // It repeats the causes.
                        message.truncate(start + " is invalid: [".len());
                    }
                }
                self.in_patch_cause = map.get("field").and_then(Value::as_str) == Some("patch");
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), &*value) {
                        ("resourceVersion", Value::String(text)) => {
                            let rank = uid.as_ref().map(|uid| self.rank(Some(uid), text));
                            *value = rank.unwrap_or_else(|| "LIST".to_owned()).into();
                        }
                        ("continue", Value::String(text)) if !text.is_empty() => *value = "CONTINUE".into(),
                        ("jwks_uri", Value::String(text)) if text.ends_with("/openid/v1/jwks") => {
                            *value = "ADDRESS".into();
                        }
                        ("serverAddress", _) => *value = "ADDRESS".into(),
                        ("token", Value::String(_)) => *value = "TOKEN".into(),
                        ("nodePort" | "healthCheckNodePort", Value::Number(port))
                            if !self.text.contains(&port.to_string()) =>
                        {
                            *value = "ASSIGNED".into();
                        }
                        _ => self.rewrite(key, value, patterns),
                    }
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.rewrite(key, item, patterns));
                if key == "managedFields" {
                    // Their order depends on whether a second ended between two writes.
                    items.sort_by_key(|entry| {
                        ["operation", "manager", "subresource", "apiVersion"]
                            .map(|key| entry[key].as_str().unwrap_or_default().to_owned())
                    });
                }
            }
            Value::String(text) => *text = self.rewrite_text(key, text, patterns),
            _ => {}
        }
    }

    fn rewrite_text(&mut self, key: &str, text: &str, patterns: &Patterns) -> String {
        if matches!(key, "clusterIP" | "clusterIPs") && text.starts_with("10.") && !self.text.contains(text) {
            return "ASSIGNED".to_owned();
        }
        // Go appends how two structs differ.
        let mut text = text.split("\n@@").next().unwrap_or_default().trim_end().to_owned();
        if key == "cells" && patterns.age.is_match(&text) {
            return "AGE".to_owned();
        }
        for (name, general) in &self.generated {
            text = text.replace(name, general);
        }
        if let Some(end) = text.find("patch: Invalid value: \"").and_then(|_| text.rfind("\": ")) {
            // The order of members in the patched object is that of Go's structs.
            let start = text.find("Invalid value: \"").map_or(0, |start| start + 16);
            if start < end {
                text.replace_range(start..end, "...");
            }
        } else if key == "message"
            && self.in_patch_cause
            && let Some(end) = text.rfind("\": ")
            && text.starts_with("Invalid value: \"")
        {
            text.replace_range(16..end, "...");
        }
        if text.contains("kube-api-access-") {
            text = patterns.token_volume.replace_all(&text, "kube-api-access-XXXXX").into_owned();
        }
        let given = self.text.clone();
        text = patterns
            .time
            .replace_all(&text, |found: &Captures<'_>| {
                if given.contains(&found[0]) { found[0].to_owned() } else { "TIME".to_owned() }
            })
            .into_owned();
        text = patterns
            .uid
            .replace_all(&text, |found: &Captures<'_>| {
                if given.contains(&found[0]) {
                    return found[0].to_owned();
                }
                let known = self.uids.len();
                format!("uid-{}", self.uids.entry(found[0].to_owned()).or_insert(known))
            })
            .into_owned();
        let lower = text.to_lowercase();
        if lower.contains("resourceversion") || lower.contains("resource version") {
            text = patterns
                .number
                .replace_all(&text, |found: &Captures<'_>| self.rank(None, &found[0]))
                .into_owned();
        }
        text
    }

    fn rank(&self, uid: Option<&String>, revision: &str) -> String {
        let Ok(number) = revision.parse::<u64>() else { return revision.to_owned() };
        let of = self.revisions.iter().filter(|(known, _)| uid.is_none_or(|uid| uid == *known));
        let rank = of.filter_map(|(_, seen)| seen.iter().position(|known| *known == number)).next();
        rank.map_or_else(|| revision.to_owned(), |rank| format!("rv-{rank}"))
    }
}

/// The paths at which two values differ, with both sides.
pub(crate) fn differences(path: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let absent = Value::String("(absent)".to_owned());
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key).unwrap_or(&absent), b.get(key).unwrap_or(&absent));
                differences(&format!("{path}.{key}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (idx, (a, b)) in a.iter().zip(b.iter()).enumerate() {
                differences(&format!("{path}[{idx}]"), a, b, out);
            }
        }
        _ if ours == theirs => {}
        _ => out.push(format!("    {path}\n      ours   {ours}\n      theirs {theirs}")),
    }
}
