//! Applications whose source is a chart or a kustomization.

use serde_json::json;

use crate::plane::{Plane, Server, automated, config_map, is_synced, resource};

const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  value: {{ .Values.value | quote }}
  namespace: {{ .Release.Namespace }}
  deployments: {{ .Capabilities.APIVersions.Has \"apps/v1/Deployment\" | quote }}
  minor: {{ .Capabilities.KubeVersion.Minor | quote }}
";

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";

/// A chart is rendered for its release and cluster; a commit to a value file is a new state, one beside it is not.
pub(crate) async fn helm_chart(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("deploy/Chart.yaml", CHART)
        .file("deploy/values.yaml", "value: chart\n")
        .file("deploy/templates/settings.yaml", TEMPLATE)
        .file("env/prod.yaml", "value: file\n")
        .submit()
        .unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"helm": {"releaseName": "web", "valueFiles": ["/env/prod.yaml"]}});
    plane.create_app(app).await;
    let synced = plane.until_synced(&first).await;
    assert_eq!(synced["status"]["sourceType"], "Helm");
    let settings = plane.path("configmaps/web-settings");
    let live = plane.get(&settings).await;
    assert_eq!(live["data"]["value"], "file");
    assert_eq!(live["data"]["namespace"], json!(plane.target));
    assert_eq!(live["data"]["deployments"], "true");
    assert_eq!(live["data"]["minor"], "36");
    plane.commit().file("env/prod.yaml", "value: changed\n").submit().unwrap();
    plane.until(&settings, "the value of the new commit", |live| live["data"]["value"] == "changed").await;
    let name = plane.app.as_str();
    plane.verb(&["set", name, "--parameter=value=set"]).exits(0).says(&["changed."]);
    plane.until(&settings, "the value of the parameter", |live| live["data"]["value"] == "set").await;
    plane.verb(&["unset", name, "--parameter=value"]).exits(0).says(&["changed."]);
    plane.verb(&["unset", name, "--parameter=value"]).exits(0).says(&["asks for nothing of that"]);
    plane.until(&settings, "the value of the file again", |live| live["data"]["value"] == "changed").await;
}

/// A chart that cannot be rendered is told in Helm's words, and what was deployed stays.
pub(crate) async fn broken_helm_chart(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("deploy/Chart.yaml", CHART)
        .file("deploy/values.yaml", "value: chart\n")
        .file("deploy/templates/settings.yaml", TEMPLATE)
        .submit()
        .unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"helm": {"releaseName": "web"}});
    plane.create_app(app).await;
    plane.until_synced(&first).await;
    let broken = "a: {{ .Values.none.below }}\n";
    plane.commit().file("deploy/templates/broken.yaml", broken).submit().unwrap();
    plane
        .until_condition("ComparisonError", &["web/templates/broken.yaml:1:", "nil pointer evaluating"])
        .await;
    plane.assert_exists(&plane.path("configmaps/web-settings")).await;
    let mended = plane.commit().delete("deploy/templates/broken.yaml").submit().unwrap();
    plane.until_synced(&mended).await;
    plane.until_no_conditions().await;
}

/// Value files may come from another source, which gives nothing else; a commit there is noticed.
pub(crate) async fn values_from_another_source(server: Server) {
    let plane = Plane::start(server).await;
    plane
        .commit()
        .file("deploy/Chart.yaml", CHART)
        .file("deploy/templates/settings.yaml", TEMPLATE)
        .submit()
        .unwrap();
    plane.repository.commit("values").file("env/prod.yaml", "value: other\n").submit().unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!(null);
    app["spec"]["sources"] = json!([
        {"repoURL": plane.url(), "targetRevision": "main", "path": "deploy",
         "helm": {"releaseName": "web", "valueFiles": ["$values/env/prod.yaml"]}},
        {"repoURL": plane.url(), "targetRevision": "values", "ref": "values"},
    ]);
    plane.create_app(app).await;
    let settings = plane.path("configmaps/web-settings");
    plane.until(&settings, "the value of the other source", |live| live["data"]["value"] == "other").await;
    plane.repository.commit("values").file("env/prod.yaml", "value: newer\n").submit().unwrap();
    plane.until(&settings, "the value of its new commit", |live| live["data"]["value"] == "newer").await;
}

/// A kustomization is built with the options of the Application; a commit to its base is a new state.
pub(crate) async fn kustomization(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("base/kustomization.yaml", "resources: [settings.yaml]\n")
        .file("base/settings.yaml", config_map("settings", "1"))
        .file("deploy/kustomization.yaml", "resources: [../base]\nnameSuffix: -prod\n")
        .submit()
        .unwrap();
    let mut app = automated();
    app["spec"]["source"] =
        json!({"kustomize": {"namePrefix": "web-", "commonAnnotations": {"note": "here"}}});
    plane.create_app(app).await;
    let synced = plane.until_synced(&first).await;
    assert_eq!(synced["status"]["sourceType"], "Kustomize");
    assert_eq!(resource(&synced, "ConfigMap", "web-settings-prod")["status"], "Synced");
    let settings = plane.path("configmaps/web-settings-prod");
    assert_eq!(plane.get(&settings).await["metadata"]["annotations"]["note"], "here");
    let second = plane.commit().file("base/settings.yaml", config_map("settings", "2")).submit().unwrap();
    plane.until(&settings, "the value of the base's commit", |live| live["data"]["value"] == "2").await;
    plane.until_app("the new revision", |app| is_synced(app, &second)).await;
    plane.commit().file("deploy/kustomization.yaml", "resources: [../missing]\n").submit().unwrap();
    plane.until_condition("ComparisonError", &["the kustomization in deploy cannot be built"]).await;
    plane.assert_exists(&settings).await;
}

/// Jsonnet is evaluated, by the engine and by the commands, with the variables that a file in the
/// repository adds to the source; a commit to that file is a new state.
pub(crate) async fn jsonnet_and_a_file_that_overrides_the_source(server: Server) {
    const PROGRAM: &str = "\
local named = import 'lib/named.libsonnet';
[named('settings') + {data: {value: std.extVar('value')}}]
";
    const NAMED: &str = "function(name) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}";
    let overriding = |value: &str| {
        format!("directory:\n  jsonnet:\n    extVars:\n    - {{name: value, value: {value}}}\n")
    };
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("deploy/a.jsonnet", PROGRAM)
        .file("deploy/lib/named.libsonnet", NAMED)
        .file("deploy/.argocd-source.yaml", overriding("first"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let settings = plane.path("configmaps/settings");
    assert_eq!(plane.get(&settings).await["data"]["value"], "first");
    let second = plane.commit().file("deploy/.argocd-source.yaml", overriding("second")).submit().unwrap();
    plane.until(&settings, "the value of the second commit", |live| live["data"]["value"] == "second").await;
    plane.until_synced(&second).await;
    let verb =
        |arguments: &[&str]| plane.verb(&[arguments, &[&plane.app, "--allow-local-repositories"]].concat());
    verb(&["manifests"]).exits(0).prints(&["value: second"]);
    verb(&["diff"]).exits(0);
}

/// Prints what it was given, as an object; a file of the folder is run where there is one.
const PLUGIN: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: shell}
spec:
  version: v1
  discover: {fileName: value.txt}
  init: {command: [sh, -c, 'test ! -f run.sh || . ./run.sh']}
  generate:
    command: [sh, -c]
    args:
    - |
      printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {value: "%s", app: "%s", param: "%s"}\n' \
        "$(cat value.txt)" "$ARGOCD_ENV_WHO" "$PARAM_SIZE"
"#;

/// A plugin renders the folders that ask for it and those that it looks for; a commit beside does not run it, one that
/// breaks it is told, and what was deployed stays.
pub(crate) async fn plugin_by_name_and_by_what_it_looks_for(server: Server) {
    let plane = Plane::builder(server).plugins(&[PLUGIN]).start().await;
    let first = plane.commit().file("deploy/value.txt", "1").submit().unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"plugin": {
        "name": "shell-v1",
        "env": [{"name": "WHO", "value": "$ARGOCD_APP_NAME"}],
        "parameters": [{"name": "size", "string": "large"}],
    }});
    plane.create_app(app).await;
    let synced = plane.until_synced(&first).await;
    assert_eq!(synced["status"]["sourceType"], "Plugin");
    let settings = plane.path("configmaps/settings");
    let live = plane.get(&settings).await;
    assert_eq!(live["data"], json!({"value": "1", "app": plane.app, "param": "large"}));
    let renders = plane.renders().await;
    plane.commit().file("beside/x.txt", "1").submit().unwrap();
    let second = plane.commit().file("deploy/value.txt", "2").submit().unwrap();
    plane.until(&settings, "the value of the new commit", |live| live["data"]["value"] == "2").await;
    plane.until_synced(&second).await;
    assert_eq!(plane.renders().await, renders + 1);
    // Each way to break is told, and nothing is lost.
    for (script, told) in [
        ("echo it is broken >&2; exit 3", "it ended with exit status: 3: it is broken"),
        ("sleep 1000", "it ran for more than 5 seconds (limit PLUGIN_SECONDS"),
        ("yes", "it prints more than 67108864 bytes (limit PLUGIN_OUTPUT_BYTES)"),
    ] {
        plane.commit().file("deploy/run.sh", script).submit().unwrap();
        let told = format!("the plugin shell-v1 failed at its spec.init: {told}");
        plane.until_condition("ComparisonError", &[&told]).await;
        plane.verb(&["get", &plane.app]).prints(&[&told]);
        assert_eq!(plane.get(&settings).await["data"]["value"], "2");
    }
    let mended = plane.commit().delete("deploy/run.sh").submit().unwrap();
    plane.until_synced(&mended).await;
    plane.until_no_conditions().await;
    // It takes the folder as well where nobody names it.
    plane.patch_app(json!({"spec": {"source": {"plugin": null}}})).await;
    plane.until(&settings, "an environment without variables", |live| live["data"]["app"] == "").await;
    let found =
        plane.until_app("the type of its source", |app| app["status"]["sync"]["status"] == "Synced").await;
    assert_eq!(found["status"]["sourceType"], "Plugin");
    plane.patch_app(json!({"spec": {"source": {"plugin": {"name": "other"}}}})).await;
    plane.until_condition("ComparisonError", &["there is no plugin other; declared are shell-v1"]).await;
    plane.assert_exists(&settings).await;
}

/// Plugins are read again when their files change: what they render is rendered again, and a file that cannot be used any more
/// leaves its plugin as it was.
pub(crate) async fn plugins_are_read_again(server: Server) {
    let plane = Plane::builder(server).plugins(&[PLUGIN]).never_polls().start().await;
    let first = plane.commit().file("deploy/value.txt", "1").submit().unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"plugin": {"name": "shell-v1"}});
    plane.create_app(app).await;
    plane.until_synced(&first).await;
    let settings = plane.path("configmaps/settings");
    assert_eq!(plane.get(&settings).await["data"]["app"], "");

    plane.declare_plugin(0, &PLUGIN.replace("$ARGOCD_ENV_WHO", "second"));
    plane.until(&settings, "what the plugin makes now", |live| live["data"]["app"] == "second").await;
    // One that cannot be used any more is as it was, and one that is new is there.
    plane.declare_plugin(0, "kind: ConfigManagementPlugin\nmetadata: {name: shell}\nspec: {version: v1}\n");
    plane.declare_plugin(
        1,
        &PLUGIN.replace("name: shell}", "name: other}").replace("$ARGOCD_ENV_WHO", "other"),
    );
    plane.patch_app(json!({"spec": {"source": {"plugin": {"name": "other-v1"}}}})).await;
    plane.until(&settings, "what the new plugin makes", |live| live["data"]["app"] == "other").await;
    plane.patch_app(json!({"spec": {"source": {"plugin": {"name": "shell-v1"}}}})).await;
    plane.until(&settings, "what the old plugin made", |live| live["data"]["app"] == "second").await;
    plane.declare_plugin(0, PLUGIN);
    plane.until(&settings, "the first plugin again", |live| live["data"]["app"] == "").await;
    plane.until_no_conditions().await;
}
