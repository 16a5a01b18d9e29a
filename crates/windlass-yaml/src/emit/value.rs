//! Values to YAML.

use std::borrow::Cow;

use super::analysis::analyze;
use super::scalar::Implicit;
use super::writer::{Place, Writer};
use super::{YamlStyle, needs_quotes, order};
use crate::scanner::ScalarStyle;
use crate::value::{Array, Map, Value};

/// From this length on a key is written with `?`.
pub(super) const MAX_SIMPLE_KEY: usize = 128;

/// The value as `sigs.k8s.io/yaml`'s `Marshal` prints it, which is what kubectl and Helm's `toYaml` print.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    to_yaml_with(value, &YamlStyle::SIGS)
}

/// The value in the given style. The recursion is as deep as the value.
#[must_use]
pub fn to_yaml_with(value: &Value, style: &YamlStyle) -> String {
    let mut writer = Writer::new(*style);
    writer.value(value, Place::default());
    writer.write_indent();
    writer.out
}

impl Writer {
    fn value(&mut self, value: &Value, place: Place) {
        let text: Cow<'_, str> = match value {
            Value::Null => "null".into(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Int(int) => int.to_string().into(),
            Value::Float(float) => self.float(*float).into(),
            Value::String(text) => {
                let style = self.string_style(text);
                return self.scalar(text, style, place);
            }
            Value::Array(items) if items.is_empty() => return self.empty("[", "]"),
            Value::Object(map) if map.is_empty() => return self.empty("{", "}"),
            Value::Array(items) => return self.sequence(items, place),
            Value::Object(map) => return self.mapping(map, place),
        };
        self.scalar(&text, ScalarStyle::Plain, place);
    }

    /// `sigs.k8s.io/yaml` passes floats through JSON, where large integral ones are integers.
    fn float(&self, float: f64) -> String {
        if !self.is_v3() {
            let json = crate::float::go_json(float);
            if json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok() {
                return if json == "-0" { "0".to_owned() } else { json };
            }
        }
        match crate::float::go_g(float).as_str() {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            "NaN" => ".nan".to_owned(),
            text => text.to_owned(),
        }
    }

    fn string_style(&self, text: &str) -> ScalarStyle {
        if text.contains('\n') {
            ScalarStyle::Literal
        } else if needs_quotes(text, self.style.dialect) {
            ScalarStyle::DoubleQuoted
        } else {
            ScalarStyle::Plain
        }
    }

    fn scalar(&mut self, text: &str, wanted: ScalarStyle, place: Place) {
        let analysis = analyze(text, !self.is_v3());
        let style = self.select_style(text, wanted, analysis, place, Implicit::ALL);
        self.write_scalar(text, style, place, &mut String::new());
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.write_indicator(open, true, true, false);
        self.write_indicator(close, false, false, false);
    }

    fn sequence(&mut self, items: &Array, place: Place) {
        self.open_sequence(place);
        for item in items {
            self.write_indent();
            self.write_indicator("-", true, false, true);
            self.value(item, Place { block_item: true, ..Place::default() });
        }
        self.decrease_indent();
    }

    /// Goes to the indentation of a block sequence's dashes.
    pub(super) fn open_sequence(&mut self, place: Place) {
        let compact = place.mapping && (self.column == 0 || !self.indention) && self.style.compact_sequences;
        let indentless = !self.is_v3() && place.mapping && !self.indention;
        self.increase_indent(false, indentless, place, compact);
    }

    fn mapping(&mut self, map: &Map, place: Place) {
        self.increase_indent(false, false, place, false);
        let in_map = Place { mapping: true, ..Place::default() };
        for (key, member) in order::members(map, self.style.dialect) {
            self.write_indent();
            let style = self.string_style(key);
            let analysis = analyze(key, !self.is_v3());
            if !analysis.multiline && key.len() <= MAX_SIMPLE_KEY {
                let place = Place { simple_key: true, ..in_map };
                let style = self.select_style(key, style, analysis, place, Implicit::ALL);
                self.write_scalar(key, style, place, &mut String::new());
                self.write_indicator(":", false, false, false);
            } else {
                self.write_indicator("?", true, false, true);
                self.scalar(key, style, in_map);
                self.write_indent();
                self.write_indicator(":", true, false, true);
            }
            self.value(member, in_map);
        }
        self.decrease_indent();
    }
}
