//! What rules take out of both sides, and what they keep as it is live.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use windlass_diff::{Rules, differences, normalise, respected, sentence};
use windlass_kube::{Object, Value, value};
use windlass_model::{Comparing, CountedStatus, IgnoreRule, KnownType, SystemComparing};

fn object(value: Value) -> Object {
    Object::try_new(value).unwrap()
}

fn deployment(replicas: i64, image: &str) -> Object {
    object(value!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}
    }))
}

fn rule(pointers: &[&str], expressions: &[&str]) -> IgnoreRule {
    IgnoreRule {
        group: "apps".into(),
        kind: "*".into(),
        pointers: pointers.iter().map(|it| (*it).into()).collect(),
        expressions: expressions.iter().map(|it| (*it).into()).collect(),
        ..IgnoreRule::default()
    }
}

fn compiled(rules: Vec<IgnoreRule>) -> Rules {
    let (rules, problems) = Rules::compile(&Comparing { rules: rules.into(), ..Comparing::default() });
    assert_eq!(problems, vec![]);
    rules
}

fn left(rules: &Rules, desired: &Object, live: &Object) -> String {
    let both = normalise(desired, live, rules);
    sentence(&differences(&both.desired, &both.live, live, "argocd-controller"))
}

#[test]
fn pointers_and_expressions_name_what_does_not_count() {
    let (desired, live) = (deployment(3, "web:1"), deployment(5, "web:2"));
    let both = "spec.replicas: Git says 3, live 5; \
                spec.template.spec.containers[web].image: Git says \"web:1\", live \"web:2\"";
    assert_eq!(left(&Rules::default(), &desired, &live), both);
    let image = "spec.template.spec.containers[web].image: Git says \"web:1\", live \"web:2\"";
    assert_eq!(left(&compiled(vec![rule(&["/spec/replicas"], &[])]), &desired, &live), image);
    let expression = ".spec.template.spec.containers[] | select(.name == \"web\") | .image";
    let rules = compiled(vec![rule(&["/spec/replicas", "/spec/none/x"], &[expression])]);
    assert_eq!(left(&rules, &desired, &live), "");
    let by_position =
        compiled(vec![rule(&["/spec/replicas", "/spec/template/spec/containers/0/image"], &[])]);
    assert_eq!(left(&by_position, &desired, &live), "");
}

#[test]
fn a_rule_is_for_the_objects_it_names() {
    let (desired, live) = (deployment(3, "web:1"), deployment(5, "web:1"));
    for (change, ignored) in [
        (IgnoreRule { name: "web".into(), ..rule(&["/spec/replicas"], &[]) }, true),
        (IgnoreRule { name: "w*".into(), ..rule(&["/spec/replicas"], &[]) }, true),
        (IgnoreRule { name: "other".into(), ..rule(&["/spec/replicas"], &[]) }, false),
        (IgnoreRule { namespace: "shop".into(), ..rule(&["/spec/replicas"], &[]) }, true),
        (IgnoreRule { namespace: "prod".into(), ..rule(&["/spec/replicas"], &[]) }, false),
        (IgnoreRule { group: "".into(), ..rule(&["/spec/replicas"], &[]) }, false),
        (IgnoreRule { group: "*".into(), ..rule(&["/spec/replicas"], &[]) }, true),
        (IgnoreRule { kind: "StatefulSet".into(), ..rule(&["/spec/replicas"], &[]) }, false),
    ] {
        let rules = compiled(vec![change.clone()]);
        assert_eq!(left(&rules, &desired, &live).is_empty(), ignored, "{change:?}");
        assert_eq!(rules.concern(&desired.object_ref()), ignored, "{change:?}");
    }
}

fn scaled_by_somebody() -> Object {
    let mut live = deployment(5, "web:2");
    live.set_at(
        &["metadata", "managedFields"],
        value!([
            {"manager": "argocd-controller", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "time": "2026-11-01T09:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers":
             {"k:{\"name\":\"web\"}": {"f:image": (Value::object()), "f:name": (Value::object())}}}}}}},
            {"manager": "hpa-controller", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "time": "2026-11-01T10:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": (Value::object())}}}
        ]),
    );
    live
}

#[test]
fn a_difference_says_who_set_the_field() {
    let live = scaled_by_somebody();
    let found = differences(&deployment(3, "web:2"), &live, &live, "argocd-controller");
    assert_eq!(
        sentence(&found),
        "spec.replicas: Git says 3, live 5, last set by hpa-controller at 2026-11-01T10:00:00Z"
    );
}

#[test]
fn what_a_named_manager_owns_does_not_count() {
    let managed = IgnoreRule { managers: ["hpa-controller".into()].into(), ..rule(&[], &[]) };
    let rules = compiled(vec![managed]);
    let live = scaled_by_somebody();
    assert_eq!(left(&rules, &deployment(3, "web:2"), &live), "");
    let image = left(&rules, &deployment(3, "web:1"), &live);
    assert!(image.starts_with("spec.template.spec.containers[web].image"), "{image}");
}

#[test]
fn what_does_not_count_can_be_kept_as_it_is_live() {
    let rules = compiled(vec![rule(&["/spec/replicas"], &[".spec.template.spec.containers[] | .resources"])]);
    let desired = deployment(3, "web:1");
    let mut live = deployment(5, "web:2");
    live.set_at(
        &["spec", "template", "spec", "containers"],
        value!([
            {"name": "sidecar", "image": "s", "resources": {"limits": {"cpu": "9"}}},
            {"name": "web", "image": "web:2", "resources": {"limits": {"cpu": "1"}}}
        ]),
    );
    live.set_at(&["status", "replicas"], 5);
    let mut expected = deployment(5, "web:1");
    expected.set_at(
        &["spec", "template", "spec", "containers"],
        value!([
            {"name": "web", "image": "web:1", "resources": {"limits": {"cpu": "1"}}}
        ]),
    );
    assert_eq!(respected(&desired, &live, &rules), expected);
}

#[test]
fn what_the_server_alone_sets_is_never_kept() {
    let rules = compiled(vec![rule(&["/metadata", "/metadata/managedFields", "/status", "/kind"], &[])]);
    let desired = deployment(3, "web:1");
    let mut live = scaled_by_somebody();
    live.set_at(&["metadata", "resourceVersion"], "7");
    live.set_at(&["status", "replicas"], 5);
    assert_eq!(respected(&desired, &live, &rules), desired);
}

#[test]
fn the_control_plane_can_say_it_for_all() {
    let system = SystemComparing {
        rules: [rule(&["/spec/replicas"], &[])].into(),
        ignore_aggregated_roles: true,
        known_types: [KnownType {
            group: "example.org".into(),
            kind: "Thing".into(),
            field: "spec.cpu".into(),
            type_name: "core/Quantity".into(),
        }]
        .into(),
        ..SystemComparing::default()
    };
    let (rules, _) = Rules::compile(&Comparing { system: Arc::new(system), ..Comparing::default() });
    assert_eq!(left(&rules, &deployment(3, "a"), &deployment(5, "a")), "");
    let role = |rules: Value| {
        object(value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "all"},
            "aggregationRule": {"clusterRoleSelectors": []}, "rules": rules
        }))
    };
    assert_eq!(left(&rules, &role(value!([])), &role(value!([{"verbs": ["get"]}]))), "");
    let thing = |cpu: Value| {
        object(
            value!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"cpu": cpu}}),
        )
    };
    assert_eq!(left(&rules, &thing("1000m".into()), &thing(1.into())), "");
    assert!(!left(&rules, &thing("1001m".into()), &thing(1.into())).is_empty());
}

#[test]
fn a_status_counts_where_the_control_plane_says_so() {
    let thing = |kind: &str, api: &str, phase: &str| {
        let mut thing = object(value!({"apiVersion": (api), "kind": (kind), "metadata": {"name": "a"}}));
        thing.set_at(&["status", "phase"], phase);
        thing
    };
    let (own, definition) =
        (("Thing", "example.org/v1"), ("CustomResourceDefinition", "apiextensions.k8s.io/v1"));
    for (status, own_counts, definition_counts) in [
        (CountedStatus::None, false, false),
        (CountedStatus::AllButDefinitions, true, false),
        (CountedStatus::All, true, true),
    ] {
        let system = Arc::new(SystemComparing { status, ..SystemComparing::default() });
        let (rules, _) = Rules::compile(&Comparing { system, ..Comparing::default() });
        for ((kind, api), counts) in [(own, own_counts), (definition, definition_counts)] {
            let found = left(&rules, &thing(kind, api, "Ready"), &thing(kind, api, "Pending"));
            assert_eq!(!found.is_empty(), counts, "{status:?} {kind}: {found}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_told_and_the_rest_holds() {
    let comparing = Comparing {
        rules: [rule(&["spec/replicas", "/spec/replicas"], &[".a |", "env.HOME"])].into(),
        ..Comparing::default()
    };
    let (rules, problems) = Rules::compile(&comparing);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert_eq!(left(&rules, &deployment(3, "a"), &deployment(5, "a")), "");
}

#[test]
fn values_of_secrets_are_hidden() {
    let secret = |text: &str| {
        object(
            value!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": text}}),
        )
    };
    let live = secret("b2xk");
    let told = sentence(&differences(&secret("bmV3"), &live, &live, "argocd-controller"));
    assert!(told.contains("data.key") && !told.contains("b2xk") && !told.contains("bmV3"), "{told}");
}
