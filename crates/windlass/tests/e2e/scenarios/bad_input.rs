//! What is wrong in a repository is told, and the rest goes on.

use serde_json::json;
use windlass_testing::eventually;

use crate::plane::{PATIENCE, Plane, Server, automated, condition, config_map};

/// A file that is no YAML is named with its line; the others are applied, and nothing is pruned.
pub(crate) async fn unparsable_yaml_beside_valid_files(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/b.yaml", config_map("two", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    plane
        .commit()
        .file("deploy/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two\n")
        .submit()
        .unwrap();
    plane.until_condition("ComparisonError", &["deploy/b.yaml:"]).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    plane.assert_exists(&plane.path("configmaps/two")).await;
    assert_eq!(plane.app().await["status"]["sync"]["status"], "Unknown");
    let fixed = plane.commit().file("deploy/b.yaml", config_map("two", "2")).submit().unwrap();
    plane.until_synced(&fixed).await;
    plane.until_no_conditions().await;
}

/// A folder that is not there is a condition; what runs stays.
pub(crate) async fn missing_path(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    plane.commit().delete("deploy").file("elsewhere/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.until_condition("ComparisonError", &["deploy: app path does not exist"]).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    let back = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&back).await;
    plane.until_no_conditions().await;
}

/// A branch that vanished is a condition; what runs stays, and is still healed.
pub(crate) async fn vanished_branch(server: Server) {
    let plane = Plane::start(server).await;
    plane.repository.write("spare", "README", "spare").unwrap();
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    plane.repository.set_head("spare").unwrap();
    plane.repository.delete_branch("main").unwrap();
    plane.until_condition("ComparisonError", &["there is no branch, tag or commit main"]).await;
    let one = plane.path("configmaps/one");
    plane.api.merge(&one, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&one, "the value to be healed", |live| live["data"]["value"] == "1").await;
    plane.api.delete(&one).await.unwrap();
    plane.until_exists(&one).await;
    plane.repository.set_branch("main", &first).unwrap();
    let next = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&next).await;
    plane.until_no_conditions().await;
}

/// An object of a kind that the server does not know is named; it is applied once the kind is there.
pub(crate) async fn unknown_kind(server: Server) {
    let mut plane = Plane::start(server).await;
    let group = format!("{}.example.org", plane.target);
    let gadget = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Gadget",
        "metadata": {"name": "one"}, "spec": {"size": 3},
    });
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/gadget.json", gadget.to_string())
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let said = |app: &serde_json::Value| {
        condition(app, "SyncError", &["Gadget"]).or_else(|| condition(app, "ComparisonError", &["Gadget"]))
    };
    plane.until_app("a condition that names the kind", |app| said(app).is_some()).await;
    plane.until_exists(&plane.path("configmaps/one")).await;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        }
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    plane.api.create(definitions, &definition).await.unwrap();
    plane.until_healthy(&commit).await;
    plane.until_no_conditions().await;
    if server == Server::Embedded {
        return;
    }
    plane.kill();
    plane.api.delete(&format!("{definitions}/gadgets.{group}")).await.unwrap();
}

/// In a plan of one wave the valid objects are applied, and the invalid one is named with its file and line.
pub(crate) async fn invalid_object_among_valid_ones(server: Server) {
    let plane = Plane::start(server).await;
    let bad = "# The next line is 2.\napiVersion: v1\nkind: Service\nmetadata:\n  name: broken\nspec:\n  ports:\n    \
               - port: 99999\n";
    plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/bad.yaml", bad)
        .file("deploy/c.yaml", config_map("two", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_condition("SyncError", &["deploy/bad.yaml:2", "Service", "broken", "99999"]).await;
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_exists(&plane.path("configmaps/two")).await;
    let fixed = plane.commit().file("deploy/bad.yaml", bad.replace("99999", "80")).submit().unwrap();
    plane.until_healthy(&fixed).await;
    plane.until_no_conditions().await;
}

/// A symbolic link that leads out of the repository is refused by name.
pub(crate) async fn symlink_out_of_the_repository(server: Server) {
    let plane = Plane::start(server).await;
    plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .symlink("deploy/passwd.yaml", "../../../../../../etc/passwd")
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["deploy/passwd.yaml"]).await;
    let said = plane.app().await["status"].to_string();
    assert!(!said.contains("root:"), "{said}");
    let fixed = plane.commit().delete("deploy/passwd.yaml").submit().unwrap();
    plane.until_synced(&fixed).await;
    plane.until_no_conditions().await;
}

/// A file that is larger than any manifest may be is named together with the limit.
pub(crate) async fn huge_file(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let huge = config_map("huge", &"x".repeat(12 * 1024 * 1024));
    plane.commit().file("deploy/huge.yaml", huge).submit().unwrap();
    plane.until_condition("ComparisonError", &["deploy", "limit"]).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    let fixed = plane.commit().delete("deploy/huge.yaml").submit().unwrap();
    plane.until_synced(&fixed).await;
    plane.until_no_conditions().await;
}

/// A hundred thousand files elsewhere in the tree are not in the way.
pub(crate) async fn repository_of_many_files(server: Server) {
    const N_FILES: usize = 100_000;
    let plane = Plane::start(server).await;
    let others = (0..N_FILES).map(|n| (format!("other/{}/{}/{n}.yaml", n % 100, n % 7), format!("{n}")));
    let first = plane.commit().files(others).file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let (fetches, sent, renders) = (plane.git.fetches(), plane.git.bytes_sent(), plane.renders().await);
    assert!(sent > N_FILES as u64, "the first fetch brings all files, and was {sent} bytes");
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&second).await;
    // The cost is that of the change: its objects are sent, and its Application is rendered.
    assert_eq!(plane.git.fetches(), fetches + 1);
    let news = plane.git.bytes_sent() - sent;
    assert!(news < 64 * 1024, "one changed file took {news} bytes");
    assert_eq!(plane.renders().await, renders + 1);
    // A commit beside the folder is seen, and nothing is done about it.
    plane.commit().file("other/new.yaml", "new").submit().unwrap();
    let asked = plane.metric("windlass_source_updates_total{result=\"ok\"}").await;
    let attempt = || async {
        // The second answer from now on belongs to a question that was asked after the commit.
        let now = plane.metric("windlass_source_updates_total{result=\"ok\"}").await;
        if now >= asked + 2 { Ok(()) } else { Err(format!("{now} answers, {asked} before")) }
    };
    eventually(PATIENCE, attempt).await.unwrap();
    assert_eq!(plane.git.fetches(), fetches + 2);
    assert_eq!(plane.renders().await, renders + 1);
    assert_eq!(plane.app().await["status"]["sync"]["revision"], second.as_str());
}

/// Fields that are not acted on are named, none in silence.
pub(crate) async fn unsupported_fields_are_named(server: Server) {
    let plane = Plane::start(server).await;
    plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"kustomize": {"version": "v5.0.0"}});
    plane.create_app(app).await;
    plane.until_condition("UnsupportedFieldWarning", &["spec.source.kustomize.version"]).await;
}

/// A Jsonnet program without end, one that takes all memory and one that is nested without end are each an error that
/// names its limit; what is beside them is applied, and Windlass goes on.
pub(crate) async fn jsonnet_without_end(server: Server) {
    let plane = Plane::start(server).await;
    let second = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'two'}}";
    plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/b.jsonnet", "local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(200)")
        .file("deploy/c.jsonnet", "std.makeArray(1250000000, function(i) i)")
        .file("deploy/d.jsonnet", format!("{}1", "local a = ".repeat(100_000)))
        .file("deploy/e.jsonnet", second)
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let told = [
        "deploy/b.jsonnet: cannot be evaluated: it ran for more than 2 seconds (limit RUN_SECONDS",
        "deploy/c.jsonnet: cannot be evaluated: it takes more than 1073741824 bytes of memory (limit MEMORY_BYTES)",
        "deploy/d.jsonnet: cannot be evaluated: it is nested deeper than",
    ];
    for told in told {
        plane.until_condition("ComparisonError", &[told]).await;
    }
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_exists(&plane.path("configmaps/two")).await;
}
