//! Everything Go's packages were recorded to make of our cases: `tests/data/*-recorded.jsonl`, written by
//! `tools/oracle-yaml` with sigs.k8s.io/yaml 1.6.0, go.yaml.in/yaml/v2 2.4.3 and v3 3.0.4, apimachinery 0.36.1.

use windlass_yaml::json::{self, JsonOptions};
use windlass_yaml::{
    Dialect, Limits, LoadOptions, Value, YamlStyle, load, load_all, load_manifest, load_with, nodes_to_yaml,
    parse_nodes, parts, to_yaml, to_yaml_with,
};

/// Gathers differences, so that a run shows all of them.
#[derive(Default)]
struct Report {
    compared: usize,
    different: Vec<String>,
}

impl Report {
    fn compare(&mut self, input: &str, what: &str, expected: &str, got: &str) {
        self.compared += 1;
        if expected != got && !is_known(input, what) {
            self.different.push(format!("{input:?}\n  {what}\n    go   {expected:?}\n    here {got:?}"));
        }
    }

    #[track_caller]
    fn finish(self, least: usize) {
        assert!(self.compared >= least, "only {} comparisons", self.compared);
        let count = self.different.len();
        assert!(count == 0, "{count} of {} differ:\n{}", self.compared, self.different.join("\n"));
    }
}

fn records(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/{name}-recorded.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("recorded cases are committed");
    text.lines().map(|line| json::parse(line.as_bytes()).expect("a record is JSON")).collect()
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record.str_at(&[key]).unwrap_or("")
}

/// A recorded result: its text, or `error` and its error.
fn result(value: &Value) -> String {
    match value.str_at(&["error"]) {
        Some(error) => format!("error {error}"),
        None => text(value, "text").to_owned(),
    }
}

/// Where we differ, and why; `docs/differences-yaml.md` says more.
fn is_known(input: &str, what: &str) -> bool {
    // Values nest at most 512 levels here.
    if input.contains(&"[".repeat(513)) {
        return true;
    }
    match what {
        // Go names the line of the merged value, we that of the merge.
        "strict" => input.contains("<<"),
        // JSON passes through YAML in sigs' Marshal, which folds a NEL character to a blank.
        "yaml" => input.contains("\\N"),
        // After a bad separator Go forgets the document before it, too.
        "part" | "items" => ["\n--- x", "\n---x", "\n----"].iter().any(|bad| input.contains(bad)),
        _ => false,
    }
}

fn shown<E: std::fmt::Display>(result: Result<Value, E>) -> String {
    match result {
        Ok(value) => json::to_string(&value),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn values_and_errors_of_sigs() {
    let mut report = Report::default();
    for record in records("yaml") {
        let input = text(&record, "in");
        report.compare(input, "value", &result(record.get("sigs").unwrap()), &shown(load(input)));
        let strict = LoadOptions { strict: true, ..LoadOptions::default() };
        let error = load_with(input, &strict).err().map_or(String::new(), |error| error.to_string());
        report.compare(input, "strict", text(&record, "strict"), &error);
    }
    report.finish(1800);
}

#[test]
fn values_and_errors_of_v3() {
    let mut report = Report::default();
    let options = LoadOptions { dialect: Dialect::V3, ..LoadOptions::default() };
    for record in records("yaml") {
        let input = text(&record, "in");
        let expected: Vec<String> = record.items_at(&["v3"]).iter().map(result).collect();
        let got = match load_all(input, &options) {
            Ok(documents) => documents.iter().map(|document| json::to_string(&document.value)).collect(),
            Err(error) => vec![format!("error {error}")],
        };
        if let Some(error) = expected.iter().find(|text| text.starts_with("error ")) {
            report.compare(input, "v3 error", error, got.first().map_or("", String::as_str));
        } else {
            report.compare(input, "v3", &expected.join("\n"), &got.join("\n"));
        }
    }
    report.finish(900);
}

#[test]
fn emitted_yaml() {
    let mut report = Report::default();
    for record in records("yaml") {
        let input = text(&record, "in");
        let Ok(value) = load(input) else { continue };
        if !text(&record, "yaml").is_empty() {
            report.compare(input, "yaml", text(&record, "yaml"), &to_yaml(&value));
            report.compare(input, "v3 yaml", text(&record, "v3two"), &to_yaml_with(&value, &YamlStyle::V3));
            let four = YamlStyle { indent: 4, ..YamlStyle::V3 };
            report.compare(input, "v3 yaml by 4", text(&record, "v3four"), &to_yaml_with(&value, &four));
        }
    }
    report.finish(1500);
}

#[test]
fn nodes_with_comments() {
    let mut report = Report::default();
    for record in records("yaml") {
        let input = text(&record, "in");
        for (key, style) in [("node", YamlStyle::V3), ("compact", YamlStyle::KYAML)] {
            let got = match parse_nodes(input, &Limits::default()) {
                Ok(documents) => nodes_to_yaml(&documents, &style),
                Err(error) => format!("error {error}"),
            };
            report.compare(input, key, &result(record.get(key).unwrap()), &got);
        }
    }
    report.finish(1800);
}

#[test]
fn json_in_and_out() {
    let mut report = Report::default();
    for record in records("json") {
        let input = text(&record, "in");
        let bytes: Vec<u8> = input.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let got = json::parse(&bytes);
        report.compare(input, "json", &result(record.get("value").unwrap()), &shown(got.clone()));
        let strict = JsonOptions { strict: true, ..JsonOptions::default() };
        let error =
            json::parse_with(&bytes, &strict).err().map(|error| error.to_string()).unwrap_or_default();
        let Ok(value) = got else { continue };
        report.compare(input, "strict", text(&record, "strict"), &error);
        report.compare(input, "raw", text(&record, "raw"), &json::to_string_unescaped(&value));
        report.compare(input, "indented", text(&record, "two"), &json::to_string_pretty(&value, 2));
    }
    report.finish(300);
}

#[test]
fn split_manifests() {
    let mut report = Report::default();
    for record in records("split") {
        let input = text(&record, "in");
        for (idx, expected) in record.items_at(&["parts"]).iter().enumerate() {
            let got = match parts(input).nth(idx) {
                Some(Ok(part)) => part.text.replace("\r\n", "\n"),
                Some(Err(error)) => format!("error {error}"),
                None => "absent".to_owned(),
            };
            report.compare(input, "part", &result(expected), &got);
        }
        // Go decodes empty documents to null; a manifest leaves them out. After an error Go stops.
        let expected: Vec<String> =
            record.items_at(&["items"]).iter().map(result).filter(|text| text != "null").collect();
        let got: Vec<String> = load_manifest(input, &LoadOptions::default())
            .into_iter()
            .map(|item| match item {
                Ok(document) => json::to_string(&document.value),
                Err(error) => format!("error {error}"),
            })
            .collect();
        let strip = |text: &String| text.replace("error error converting YAML to JSON: ", "error ");
        let expected: Vec<String> = expected.iter().map(strip).collect();
        let cut =
            if expected.iter().any(|text| text.starts_with("error ")) { expected.len() } else { got.len() };
        let got = &got[..cut.min(got.len())];
        report.compare(input, "items", &expected.join("\n"), &got.join("\n"));
    }
    report.finish(80);
}
