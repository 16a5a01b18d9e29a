//! Objects read back from the embedded API's defaulting equal what kube-apiserver 1.36.3 returned.

use windlass_apiserver::defaults::quantity::Quantity;
use windlass_apiserver::defaults::{
    CreateContext, ServiceAllocator, apply_defaults, convert, normalize, prepare_for_create,
    prepare_for_update,
};
use windlass_kube::{Gvk, Value};

fn recorded() -> Vec<Value> {
    let text = include_str!("data/defaults/recorded.jsonl");
    text.lines().skip(1).map(|line| serde_json::from_str(line).expect("recorded JSON")).collect()
}

fn gvk(object: &Value) -> Gvk {
    Gvk::from_api_version(
        object.str_at(&["apiVersion"]).expect("apiVersion"),
        object.str_at(&["kind"]).expect("kind"),
    )
}

/// What differs from run to run: assigned addresses and ports, times.
fn scrub(input: &Value, object: &mut Value) {
    if input.at(&["spec", "clusterIP"]).is_none() && object.str_at(&["kind"]) == Some("Service") {
        for field in ["clusterIP", "clusterIPs"] {
            if object.at(&["spec", field]).is_some() {
                object.set_at(&["spec", field], "ASSIGNED");
            }
        }
    }
    if object.at(&["spec", "healthCheckNodePort"]).is_some() {
        object.set_at(&["spec", "healthCheckNodePort"], "ASSIGNED");
    }
    let given: Vec<bool> =
        input.items_at(&["spec", "ports"]).iter().map(|port| port.get("nodePort").is_some()).collect();
    let ports: Vec<Value> = object
        .items_at(&["spec", "ports"])
        .iter()
        .zip(&given)
        .map(|(port, given)| {
            let mut port = port.clone();
            if port.get("nodePort").is_some() && !given {
                port.set_at(&["nodePort"], "ASSIGNED");
            }
            port
        })
        .collect();
    if !ports.is_empty() && object.str_at(&["kind"]) == Some("Service") {
        object.set_at(&["spec", "ports"], ports);
    }
    if object.at(&["status", "lastPhaseTransitionTime"]).is_some() {
        object.set_at(&["status", "lastPhaseTransitionTime"], "NOW");
    }
    // Controllers inside the server write these a moment later.
    if matches!(object.str_at(&["kind"]), Some("CustomResourceDefinition" | "APIService")) {
        for field in ["conditions", "acceptedNames"] {
            object.remove_at(&["status", field]);
        }
    }
    if object.at(&["status", "conditions"]).is_some_and(|conditions| !conditions.is_null()) {
        let conditions: Vec<Value> = object
            .items_at(&["status", "conditions"])
            .iter()
            .map(|condition| {
                let mut condition = condition.clone();
                condition.set_at(&["lastTransitionTime"], "NOW");
                condition
            })
            .collect();
        object.set_at(&["status", "conditions"], conditions);
    }
}

fn create(input: &Value, expected: &Value) -> Value {
    let gvk = gvk(input);
    let mut object = input.clone();
    let unknown = normalize(&gvk, &mut object).unwrap_or_else(|error| panic!("{input:?}: {error}"));
    assert_eq!(unknown, Vec::<String>::new(), "{input:?}");
    apply_defaults(&gvk, &mut object);
    if let Some(namespace) = expected.at(&["metadata", "namespace"]) {
        object.set_at(&["metadata", "namespace"], namespace.clone());
    }
    object.set_at(&["metadata", "uid"], "UID");
    let context = CreateContext { now: "2026-01-01T00:00:00Z".into(), ..CreateContext::default() };
    prepare_for_create(&gvk, &mut object, &context);
    if gvk.kind == "Service" {
        ServiceAllocator::new().allocate(&mut object, None).expect("an empty allocator has addresses");
    }
    object.remove_at(&["metadata", "uid"]);
    object
}

/// The paths at which two values differ, with both sides.
fn differences(path: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(key))) {
                let null = Value::from("(absent)");
                let (a, b) = (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
                differences(&format!("{path}.{key}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (idx, (a, b)) in a.iter().zip(b.iter()).enumerate() {
                differences(&format!("{path}[{idx}]"), a, b, out);
            }
        }
        _ if ours == theirs && ours.type_name() == theirs.type_name() => {}
        _ => out.push(format!("  {path}: ours {ours:?}, theirs {theirs:?}")),
    }
}

#[test]
fn objects_read_back_as_from_the_real_server() {
    let cases = recorded();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let mut report = Vec::new();
    for case in &cases {
        let (input, mut theirs) =
            (&case.get("input").expect("input").clone(), case.get("output").expect("output").clone());
        let mut ours = create(input, &theirs);
        scrub(input, &mut ours);
        scrub(input, &mut theirs);
        let mut found = Vec::new();
        differences("", &ours, &theirs, &mut found);
        if !found.is_empty() {
            let name = input.str_at(&["metadata", "name"]).unwrap_or_default();
            report.push(format!("{} {name}\n{}", gvk(input), found.join("\n")));
        }
    }
    assert!(report.is_empty(), "{} of {} differ:\n{}", report.len(), cases.len(), report.join("\n"));
}

#[test]
fn defaulting_what_was_read_back_changes_nothing() {
    for case in recorded() {
        let output = case.get("output").expect("output");
        let gvk = gvk(output);
        let mut again = output.clone();
        normalize(&gvk, &mut again).expect("the server's own output");
        apply_defaults(&gvk, &mut again);
        normalize(&gvk, &mut again).expect("the server's own output");
        assert_eq!(&again, output);
    }
}

#[test]
fn updates_read_back_as_from_the_real_server() {
    let mut report = Vec::new();
    let mut compared = 0;
    for line in include_str!("data/updates/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let member = |key: &str| case.get(key).expect("a member of the recording").clone();
        let (mut old, input, mut theirs) = (member("old"), member("input"), member("output"));
        let gvk = gvk(&input);
        let mut ours = input.clone();
        normalize(&gvk, &mut ours).unwrap_or_else(|error| panic!("{input:?}: {error}"));
        apply_defaults(&gvk, &mut ours);
        for field in ["namespace", "generation"] {
            if let Some(value) = old.at(&["metadata", field]) {
                ours.set_at(&["metadata", field], value.clone());
            }
        }
        let mut services = ServiceAllocator::new();
        services.observe(&old);
        prepare_for_update(&gvk, &mut ours, &old);
        if gvk.kind == "Service" {
            services.allocate(&mut ours, Some(&old)).expect("an empty allocator has addresses");
        }
        // A health check's port is assigned.
        for object in [&mut ours, &mut theirs, &mut old] {
            if object.at(&["spec", "healthCheckNodePort"]).is_some() {
                object.set_at(&["spec", "healthCheckNodePort"], "ASSIGNED");
            }
        }
        let mut found = Vec::new();
        differences("", &ours, &theirs, &mut found);
        compared += 1;
        if !found.is_empty() {
            report.push(format!("{gvk} {:?}\n{}", input.at(&["metadata", "name"]), found.join("\n")));
        }
    }
    assert!(compared >= 30, "only {compared} cases");
    assert!(report.is_empty(), "{} of {compared} differ:\n{}", report.len(), report.join("\n"));
}

/// Beyond what is held: there Go itself loses the magnitude (`1000E` prints as `1`) or knows no limit.
const HUGE: [&str; 9] = [
    "1000E",
    "1000000P",
    "1000000E",
    "9223372036854775807T",
    "9223372036854775807P",
    "9223372036854775807E",
    "9223372036854775808T",
    "9223372036854775808P",
    "9223372036854775808E",
];

#[test]
fn quantities_print_as_go_prints_them() {
    let mut report = Vec::new();
    for line in include_str!("data/quantities.txt").lines().filter(|line| !line.starts_with('#')) {
        let (text, theirs) = line.rsplit_once(' ').expect("two words");
        let text = text.trim_matches('"');
        if HUGE.contains(&text) {
            continue;
        }
        let ours = Quantity::printed(text).unwrap_or_else(|| "-".to_owned());
        if ours != theirs {
            report.push(format!("{text}: ours {ours}, Go's {theirs}"));
        }
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
}

#[test]
fn other_versions_read_as_from_the_real_server() {
    for line in include_str!("data/conversions.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let member = |key: &str| case.get(key).expect("a member of the recording").clone();
        let (from, mut theirs) = (member("from"), member("to"));
        let mut ours = from.clone();
        convert(&gvk(&from), &gvk(&theirs), &mut ours);
        normalize(&gvk(&theirs), &mut ours).expect("a converted object");
        // What version 1 of an autoscaler cannot say is kept in annotations; ours hold version 2's form.
        for object in [&mut ours, &mut theirs] {
            object.remove_at(&["metadata", "annotations"]);
        }
        let mut found = Vec::new();
        differences("", &ours, &theirs, &mut found);
        assert!(found.is_empty(), "{from:?}:\n{}", found.join("\n"));
        // There and back again nothing is lost, but for what is only measured.
        let mut back = from.clone();
        convert(&gvk(&from), &gvk(&theirs), &mut back);
        convert(&gvk(&theirs), &gvk(&from), &mut back);
        normalize(&gvk(&from), &mut back).expect("a converted object");
        let without_status = |object: &Value| {
            let mut object = object.clone();
            object.object_mut().remove("status");
            object
        };
        assert_eq!(without_status(&back), without_status(&from));
    }
}
