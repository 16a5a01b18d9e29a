//! Random conversations from a seed, and the smallest part of one that still makes two servers differ.

use serde_json::{Value, json};

use crate::scenario::Scenario;

/// A linear congruential generator: the same sequence on every machine. Constants of Knuth's MMIX.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(2).wrapping_add(1));
        random.below(2);
        random
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A conversation about a few objects, by several managers.
pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let n_steps = 4 + random.below(8);
    let steps = (0..n_steps).map(|_| step(&mut random)).collect();
    Scenario { topic: "random".into(), name: format!("random-{seed}"), steps }
}

fn step(random: &mut Random) -> Value {
    let resource = random.one(&["configmaps", "configmaps", "secrets", "services", "deployments", "roles"]);
    let name = random.one(&["a", "b"]);
    let manager = random.one(&["one", "two", "three"]);
    let path = format!("{resource}/{name}");
    match random.below(12) {
        0 | 1 => {
            json!({"create": format!("{resource}?fieldManager={manager}"), "body": object(random, resource, name)})
        }
        2 => {
            json!({"update": format!("{path}?fieldManager={manager}"), "body": object(random, resource, name)})
        }
        3..=6 => {
            let force = if random.chance(30) { "&force=true" } else { "" };
            let dry_run = if random.chance(10) { "&dryRun=All" } else { "" };
            let path = format!("{path}?fieldManager={manager}{force}{dry_run}");
            json!({"apply": path, "body": object(random, resource, name)})
        }
        7 => json!({"merge": format!("{path}?fieldManager={manager}"), "body": partial(random, resource)}),
        8 => {
            json!({"strategic": format!("{path}?fieldManager={manager}"), "body": partial(random, resource)})
        }
        9 => json!({"json": format!("{path}?fieldManager={manager}"), "body": [operation(random)]}),
        // The other policies leave work to the garbage collector, and a race with it.
        10 => json!({"delete": path, "body": {"propagationPolicy": "Background"}}),
        _ => json!({"get": path}),
    }
}

fn texts(random: &mut Random) -> Value {
    let mut map = serde_json::Map::new();
    for _ in 0..random.below(3) {
        map.insert(random.one(&["k", "l", "m"]).to_owned(), random.one(&["1", "2", ""]).into());
    }
    Value::Object(map)
}

fn metadata(random: &mut Random, name: &str) -> Value {
    let mut metadata = json!({"name": name});
    if random.chance(40) {
        metadata["labels"] = texts(random);
    }
    if random.chance(20) {
        metadata["annotations"] = texts(random);
    }
    if random.chance(15) {
        metadata["finalizers"] = json!([random.one(&["x.io/a", "x.io/b"])]);
    }
    metadata
}

fn object(random: &mut Random, resource: &str, name: &str) -> Value {
    let mut object = partial(random, resource);
    object["metadata"] = metadata(random, name);
    if resource == "deployments" {
        object["spec"]["selector"] = json!({"matchLabels": {"app": name}});
        object["spec"]["template"]["metadata"] = json!({"labels": {"app": name}});
    }
    object
}

/// What a patch may say; with metadata and what is required it is an object.
fn partial(random: &mut Random, resource: &str) -> Value {
    match resource {
        "configmaps" => json!({"data": texts(random)}),
        "secrets" if random.chance(50) => json!({"stringData": texts(random)}),
        "secrets" => json!({"data": {"k": random.one(&["YQ==", "Yg=="])}}),
        "services" => {
            let ports: Vec<Value> = (0..1 + random.below(2))
                .map(|_| {
                    let port = [80, 443, 8080][random.below(3)];
                    json!({"name": format!("p{port}"), "port": port, "targetPort": random.below(2) + 1})
                })
                .collect();
            json!({"spec": {"selector": texts(random), "ports": ports}})
        }
        "roles" => {
            json!({"rules": [{"apiGroups": [""], "resources": [random.one(&["pods", "secrets"])], "verbs": ["get"]}]})
        }
        _ => {
            let containers: Vec<Value> = (0..1 + random.below(2))
                .map(|_| {
                    let mut container =
                        json!({"name": random.one(&["x", "y"]), "image": random.one(&["i:1", "i:2"])});
                    if random.chance(40) {
                        container["env"] =
                            json!([{"name": random.one(&["A", "B"]), "value": random.one(&["1", "2"])}]);
                    }
                    if random.chance(30) {
                        container["ports"] = json!([{"containerPort": 80 + random.below(2)}]);
                    }
                    container
                })
                .collect();
            let mut spec = json!({"template": {"spec": {"containers": containers}}});
            if random.chance(60) {
                spec["replicas"] = json!(random.below(2));
            }
            json!({"spec": spec})
        }
    }
}

fn operation(random: &mut Random) -> Value {
    let path = random.one(&[
        "/data/k",
        "/metadata/labels/k",
        "/metadata/finalizers",
        "/spec/replicas",
        "/metadata/labels",
    ]);
    match random.below(3) {
        0 => json!({"op": "remove", "path": path}),
        1 => json!({"op": "add", "path": path, "value": random.one(&["1", "2"])}),
        _ => json!({"op": "replace", "path": path, "value": random.one(&["1", "2"])}),
    }
}

/// The same conversation without one of its steps, under another name.
pub(crate) fn without(scenario: &Scenario, step_idx: usize, attempt: usize) -> Scenario {
    let mut steps = scenario.steps.clone();
    steps.remove(step_idx);
    let base = scenario.name.split('x').next().unwrap_or_default();
    Scenario { topic: scenario.topic.clone(), name: format!("{base}x{attempt}"), steps }
}
