//! Runs the filters that a case of `tools/oracle-kustomize serve` names, one after the other.

use smol_str::SmolStr;
use windlass_kustomize::filters::field_spec::FieldSpec;
use windlass_kustomize::filters::growth::Growth;
use windlass_kustomize::filters::images::ImageSetter;
use windlass_kustomize::filters::json6902::Patch;
use windlass_kustomize::filters::namespace::{NamespaceSetting, Subjects};
use windlass_kustomize::filters::openapi::Schema;
use windlass_kustomize::filters::refvar::{self, VariableValue};
use windlass_kustomize::filters::replacement::{self, Replaceable};
use windlass_kustomize::filters::strategic_merge::{self, Merged};
use windlass_kustomize::filters::{affix, labels, replicas, value_add};
use windlass_kustomize::kustomization::{
    FieldOptions, Image, Replacement, Selector, SourceSelector, TargetSelector,
};
use windlass_kustomize::res_id::{Gvk, ResId};
use windlass_kustomize::{Error, Node, Result};
use windlass_yaml::{Limits, Value};

/// The objects in the end, or why there are none.
pub(crate) fn run(request: &Value) -> Result<String, String> {
    let text = request.str_at(&["objects"]).unwrap_or_default();
    let mut objects = read(text).map_err(|error| format!("reading: {error}"))?;
    for step in request.items_at(&["steps"]) {
        apply(&mut objects, step).map_err(|error| error.to_string())?;
    }
    let mut parts = Vec::new();
    for object in objects {
        match object {
            None => parts.push("deleted\n".to_owned()),
            Some(object) => {
                let value = object.0.to_value().map_err(|error| format!("printing: {error}"))?;
                parts.push(windlass_yaml::to_yaml(&value));
            }
        }
    }
    Ok(parts.join("---\n"))
}

struct Object(Node);

impl Replaceable for Object {
    fn node(&self) -> &Node {
        &self.0
    }

    fn node_mut(&mut self) -> &mut Node {
        &mut self.0
    }

    fn ids(&self) -> Vec<ResId> {
        let text = |path: &[&str]| SmolStr::new(self.0.at(path).map_or("", Node::text));
        vec![ResId {
            gvk: Gvk::new(&text(&["apiVersion"]), &text(&["kind"])),
            name: text(&["metadata", "name"]),
            namespace: text(&["metadata", "namespace"]),
            cluster_scoped: false,
        }]
    }
}

fn read(text: &str) -> Result<Vec<Option<Object>>> {
    let mut objects = Vec::new();
    for document in text.split("\n---\n") {
        let document = format!("{}\n", document.trim_end_matches('\n'));
        let invalid =
            |error: windlass_yaml::YamlError| Error::invalid(format!("MalformedYAMLError: {error}"));
        let nodes = windlass_yaml::parse_nodes(&document, &Limits::default()).map_err(invalid)?;
        objects.push(Some(Object(Node::from_document(&nodes[0].root)?)));
    }
    Ok(objects)
}

fn text(value: &Value, key: &str) -> SmolStr {
    match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        _ => SmolStr::default(),
    }
}

fn spec(value: &Value) -> FieldSpec {
    let gvk = Gvk { group: text(value, "group"), version: text(value, "version"), kind: text(value, "kind") };
    FieldSpec::new(gvk, text(value, "path"), value.bool_at(&["create"]).unwrap_or_default())
}

fn specs(value: Option<&Value>) -> Vec<FieldSpec> {
    value.and_then(Value::as_array).into_iter().flat_map(|items| items.iter()).map(spec).collect()
}

fn options(value: &Value) -> Option<FieldOptions> {
    value.get("options").map(|value| FieldOptions {
        delimiter: text(value, "delimiter"),
        index: value.int_at(&["index"]).unwrap_or_default(),
        create: value.bool_at(&["create"]).unwrap_or_default(),
        ..FieldOptions::default()
    })
}

fn selector(value: &Value) -> Selector {
    Selector {
        group: text(value, "group"),
        version: text(value, "version"),
        kind: text(value, "kind"),
        name: text(value, "name"),
        namespace: text(value, "namespace"),
        annotation_selector: text(value, "annotationSelector"),
        label_selector: text(value, "labelSelector"),
    }
}

fn replacement(value: &Value) -> Replacement {
    let source = value.get("source").map(|source| SourceSelector {
        group: text(source, "group"),
        version: text(source, "version"),
        kind: text(source, "kind"),
        name: text(source, "name"),
        namespace: text(source, "namespace"),
        field_path: text(source, "fieldPath"),
        options: options(source),
    });
    let targets = value.items_at(&["targets"]).iter().map(|target| {
        Some(TargetSelector {
            select: target.get("select").map(selector),
            reject: target.items_at(&["reject"]).iter().map(|reject| Some(selector(reject))).collect(),
            field_paths: target
                .items_at(&["fieldPaths"])
                .iter()
                .filter_map(Value::as_str)
                .map(SmolStr::new)
                .collect(),
            options: options(target),
        })
    });
    Replacement {
        source,
        targets: targets.collect(),
        source_value: value.str_at(&["sourceValue"]).map(SmolStr::new),
        ..Replacement::default()
    }
}

fn apply(objects: &mut [Option<Object>], step: &Value) -> Result<()> {
    let arguments = windlass_yaml::load(step.str_at(&["arguments"]).unwrap_or_default()).unwrap();
    if step.str_at(&["filter"]) == Some("replacement") {
        let replacements: Vec<Replacement> = arguments.items_at(&[]).iter().map(replacement).collect();
        let mut present: Vec<Object> = Vec::new();
        let mut places = Vec::new();
        for (idx, object) in objects.iter_mut().enumerate() {
            if let Some(object) = object.take() {
                present.push(object);
                places.push(idx);
            }
        }
        let result = replacement::apply(&replacements, &mut present, &Growth::default());
        for (idx, object) in places.into_iter().zip(present) {
            objects[idx] = Some(object);
        }
        return result;
    }
    let only = step.int_at(&["object"]).unwrap_or_default();
    for (idx, object) in objects.iter_mut().enumerate() {
        if only >= 0 && usize::try_from(only) != Ok(idx) {
            continue;
        }
        if let Some(found) = object
            && apply_to(&mut found.0, step, &arguments)? == Merged::Deleted
        {
            *object = None;
        }
    }
    Ok(())
}

fn apply_to(node: &mut Node, step: &Value, arguments: &Value) -> Result<Merged> {
    let schema = Schema::built_in();
    let given = step.str_at(&["text"]).unwrap_or_default();
    match step.str_at(&["filter"]).unwrap_or_default() {
        "strategic" => {
            let patch = read(given).map_err(|error| error.wrap("reading the patch"))?;
            let patch = patch.into_iter().flatten().next().expect("patches are not empty");
            return strategic_merge::apply(node, patch.0, &schema);
        }
        "json6902" => Patch::parse(given)?.apply(node)?,
        "labels" | "annotations" => {
            let pairs = arguments.get("labels").and_then(Value::as_object);
            let pairs: Vec<(SmolStr, SmolStr)> = pairs
                .into_iter()
                .flat_map(|map| map.iter())
                .map(|(key, value)| (key.clone(), SmolStr::new(value.as_str().unwrap_or_default())))
                .collect();
            labels::set_entries(node, &pairs, &specs(arguments.get("specs")))?;
        }
        "namespace" => NamespaceSetting {
            namespace: given.into(),
            specs: specs(arguments.get("specs")),
            unset_only: arguments.bool_at(&["unsetOnly"]).unwrap_or_default(),
            subjects: Subjects::parse(arguments.str_at(&["subjects"]).unwrap_or_default())?,
        }
        .apply(node, &schema)?,
        "prefix" => affix::add_prefix(node, given, &spec(arguments))?,
        "suffix" => affix::add_suffix(node, given, &spec(arguments))?,
        "images" => {
            let image = windlass_yaml::load(given).unwrap();
            let setter = ImageSetter::new(Image {
                name: text(&image, "name"),
                new_name: text(&image, "newName"),
                tag_suffix: text(&image, "tagSuffix"),
                new_tag: text(&image, "newTag"),
                digest: text(&image, "digest"),
            })?;
            setter.apply_everywhere(node)?;
            setter.apply(node, &specs(Some(arguments)))?;
        }
        "replicas" => replicas::set_count(node, given.parse().unwrap(), &spec(arguments))?,
        "value" => {
            let position = arguments.int_at(&["position"]).and_then(|it| usize::try_from(it).ok());
            let path = arguments.str_at(&["path"]).unwrap_or_default();
            value_add::add(node, given, path, position.unwrap_or_default())?;
        }
        "variables" => {
            let variables = windlass_yaml::load(given).unwrap();
            refvar::apply_variables(node, &spec(arguments), &mut |name| match variables.get(name)? {
                Value::String(text) => Some(VariableValue::Text(text.clone())),
                Value::Int(int) => Some(VariableValue::Int(*int)),
                Value::Float(float) => Some(VariableValue::Float(*float)),
                Value::Bool(bool) => Some(VariableValue::Bool(*bool)),
                _ => None,
            })?;
        }
        other => panic!("no filter is called {other:?}"),
    }
    Ok(Merged::Changed)
}
