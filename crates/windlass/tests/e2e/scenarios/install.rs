//! `windlass install` on a real cluster: what it prints is accepted, and its rights are enough and no more.

use serde_json::{Value, json};

use super::projects::allow_config_maps;
use crate::plane::{Plane, Server, automated, config_map};

/// What is printed, with these flags, is valid and accepted; the Deployment's pods are admitted where only the most
/// restricted are.
pub(crate) async fn everything_printed_is_accepted(server: Server) {
    let plane = Plane::builder(server).own_cluster().start().await;
    let kubectl = plane.kubectl();
    let restricted = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "gitops", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    plane.api.create("/api/v1/namespaces", &restricted).await.unwrap();
    let crds = plane.windlass(&["install", "--crds-only"]).exits(0).out;
    let narrow = ["--only-namespaces=default", "--apply-role=impersonate"];
    for flags in [&[][..], &["--replicas=3"], &["--apply-role=none"], &["--apply-role=impersonate"], &narrow]
    {
        let arguments =
            [&["install", "--namespace=gitops", "--image=registry.example/windlass:1"][..], flags];
        let all = plane.windlass(&arguments.concat()).exits(0).out;
        assert!(all.contains(&crds), "all of it holds the definitions alone");
        // The server complains of fields that it does not know, and stores nothing.
        let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
        kubectl
            .run_with_input(&[&apply[..], &["--dry-run=server", "--force-conflicts"]].concat(), &all)
            .unwrap();
        // The definitions are there already, from somebody else.
        kubectl.run_with_input(&[&apply[..], &["--force-conflicts"]].concat(), &all).unwrap();
        let again = kubectl.run_with_input(&[&apply[..], &["--dry-run=server"]].concat(), &all).unwrap();
        assert!(again.lines().count() >= 11, "{again}");
        // Client-side apply complains of duplicate keys, too.
        let client_side = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        kubectl.run_with_input(&client_side, &all).unwrap();
    }
    let rollout = ["rollout", "status", "deployment/windlass", "-n", "gitops", "--timeout=180s"];
    kubectl.run(&rollout).unwrap();
    kubectl.run(&["get", "pdb/windlass", "service/windlass", "-n", "gitops"]).unwrap();
    kubectl.run(&["get", "appproject/default", "-n", "gitops"]).unwrap();
}

fn can(plane: &Plane, verb: &str, what: &str, namespace: &str) -> bool {
    let account = format!("--as=system:serviceaccount:{}:windlass", plane.namespace);
    let output = plane
        .kubectl()
        .command()
        .unwrap()
        .args(["auth", "can-i", verb, what, "-n", namespace, &account])
        .output();
    output.unwrap().status.success()
}

fn gadgets() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object",
                    "properties": {"size": {"type": "integer"}}}}}}}],
        }
    })
}

/// As installed, Windlass syncs with a Namespace of its own making, a kind and an object of it; it leads by its
/// Lease, and tells of it in Events.
pub(crate) async fn installed_rights_are_enough(server: Server) {
    let plane = Plane::builder(server).installed(&[]).start().await;
    let gadget = json!({"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "one"},
        "spec": {"size": 3}});
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/definition.json", gadgets().to_string())
        .file("deploy/gadget.json", gadget.to_string())
        .submit()
        .unwrap();
    let mut app = automated();
    app["metadata"] = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    app["spec"]["destination"] = json!({"namespace": "made"});
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    plane.create_app(app).await;
    plane.until_healthy(&commit).await;
    let gadget = "/apis/example.org/v1/namespaces/made/gadgets/one";
    assert_eq!(plane.get(gadget).await["spec"]["size"], 3);
    let leases = crate::scenarios::sharing::replicas(&plane).await;
    assert!(leases.len() == 1 && leases[0]["spec"]["holderIdentity"].is_string(), "{leases:?}");
    plane
        .until(&plane.control_path("events"), "an Event of the sync", |events| {
            events["items"].as_array().is_some_and(|events| {
                events.iter().any(|event| {
                    event["reason"] == "OperationCompleted" && event["involvedObject"]["name"] == plane.app
                })
            })
        })
        .await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_gone(&plane.app_path()).await;
    plane.until_gone(gadget).await;
}

/// With no rights to deploy anything, nothing is deployed and the Application says why; with roles for the kinds
/// it deploys, as `install` asks for, those are deployed and no others.
pub(crate) async fn rights_can_be_narrowed(server: Server) {
    let plane = Plane::builder(server).installed(&["--apply-role=none"]).start().await;
    let (own, other) = (plane.namespace.as_str(), plane.target.as_str());
    for (verb, what, namespace, allowed) in [
        ("update", "applications.argoproj.io", other, true),
        ("delete", "applications.argoproj.io", own, false),
        ("create", "applications.argoproj.io", own, false),
        ("update", "appprojects.argoproj.io", own, false),
        ("list", "secrets", own, true),
        ("update", "secrets", own, false),
        ("get", "secrets", other, false),
        ("create", "events", other, true),
        ("list", "events", other, false),
        ("create", "leases.coordination.k8s.io", own, true),
        ("update", "leases.coordination.k8s.io", own, true),
        ("update", "leases.coordination.k8s.io", other, false),
        ("create", "leases.coordination.k8s.io", other, false),
        ("create", "namespaces", "", false),
        ("get", "configmaps", other, false),
        ("patch", "configmaps", other, false),
        ("create", "pods", own, false),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", "", false),
        ("impersonate", "users", "", false),
    ] {
        assert_eq!(can(&plane, verb, what, namespace), allowed, "{verb} {what} in {namespace}");
    }
    let first = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_app("the refusal", |app| app["status"].to_string().contains("forbidden")).await;
    plane.assert_absent(&plane.path("configmaps/settings")).await;

    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "narrow"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"],
            "verbs": ["get", "list", "watch", "create", "patch", "delete"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "name": "windlass", "namespace": own}],
    });
    plane.api.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await.unwrap();
    plane.api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.unwrap();
    let app = plane.until_synced(&first).await;
    assert!(app["status"]["conditions"].as_array().is_none_or(Vec::is_empty), "{}", app["status"]);
    let settings = plane.path("configmaps/settings");
    plane.api.merge(&settings, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;

    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\nstringData:\n  key: sesame\n";
    plane.commit().file("deploy/secret.yaml", secret).submit().unwrap();
    let app = plane
        .until_app("the Secret to be refused", |app| {
            let status = app["status"].to_string();
            status.contains("forbidden") && status.contains("secrets")
        })
        .await;
    assert!(!app["status"].to_string().contains("sesame"), "{app}");
    plane.assert_absent(&plane.path("secrets/key")).await;
}

/// Installed so that it impersonates, the engine itself may write nothing, and deploys all the same.
pub(crate) async fn engine_writes_only_as_others(server: Server) {
    let plane = Plane::builder(server).installed(&["--apply-role=impersonate"]).start().await;
    for (verb, what, allowed) in [
        ("list", "configmaps", true),
        ("patch", "configmaps", false),
        ("delete", "configmaps", false),
        ("impersonate", "serviceaccounts", true),
        ("impersonate", "users", false),
        ("impersonate", "groups", false),
    ] {
        assert_eq!(can(&plane, verb, what, &plane.target), allowed, "{verb} {what}");
    }
    allow_config_maps(&plane, &plane.namespace, "tenant").await;
    let accounts = json!([{
        "server": "*", "namespace": "*", "defaultServiceAccount": format!("{}:tenant", plane.namespace),
    }]);
    let named = json!({"spec": {"destinationServiceAccounts": accounts}});
    plane.api.merge(&plane.control_path("appprojects/default"), &named).await.unwrap();
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    let mut app = automated();
    app["metadata"] = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    plane.create_app(app).await;
    plane.until_synced(&commit).await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_gone(&plane.path("configmaps/settings")).await;
}

/// Installed for single namespaces, it needs no right beyond them, and says so where something else is asked for.
pub(crate) async fn rights_of_single_namespaces(server: Server) {
    let plane = Plane::builder(server).installed(&["--only-namespaces=TARGET"]).start().await;
    let (own, target) = (plane.namespace.as_str(), plane.target.as_str());
    for (verb, what, namespace, allowed) in [
        ("update", "applications.argoproj.io", own, true),
        ("update", "applications.argoproj.io", target, true),
        ("list", "applications.argoproj.io", "default", false),
        ("list", "secrets", own, true),
        ("get", "secrets", "default", false),
        ("create", "pods", target, true),
        ("create", "pods", own, false),
        ("list", "configmaps", "default", false),
        ("list", "customresourcedefinitions.apiextensions.k8s.io", "", false),
        ("create", "namespaces", "", false),
        ("create", "clusterroles.rbac.authorization.k8s.io", "", false),
    ] {
        assert_eq!(can(&plane, verb, what, namespace), allowed, "{verb} {what} in {namespace}");
    }
    let first = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    let mut app = automated();
    app["metadata"] = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    // What is there needs not be made.
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    plane.create_app(app).await;
    plane.until_healthy(&first).await;
    let settings = plane.path("configmaps/settings");
    plane.api.merge(&settings, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;

    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: wide\nrules: []\n";
    plane.commit().file("deploy/role.yaml", role).submit().unwrap();
    let said = ["cluster level ClusterRole \"wide\" can not be managed when in namespaced mode"];
    plane.until_condition("ComparisonError", &said).await;
    let elsewhere = config_map("away", "1").replace("metadata:\n", "metadata:\n  namespace: default\n");
    plane.commit().delete("deploy/role.yaml").file("deploy/away.yaml", elsewhere).submit().unwrap();
    let said = ["namespace \"default\" for ConfigMap \"away\" is not managed"];
    plane.until_condition("ComparisonError", &said).await;
    let last =
        plane.commit().delete("deploy/away.yaml").file("deploy/b.yaml", config_map("more", "1")).submit();
    plane.until_healthy(&last.unwrap()).await;
    plane.until_no_conditions().await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_gone(&plane.app_path()).await;
    plane.until_gone(&settings).await;
}
