//! Where definitions of custom resources say that names, labels and annotations stand.

use std::sync::Arc;

use windlass_yaml::Value;

use super::{NameReference, TransformerConfig};
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::loader::Loader;
use crate::plugins::value_of;
use crate::res_id::Gvk;

/// How deep definitions may refer to each other.
const MAX_REFERENCES: usize = 64;

/// Reads the files under `crds:`.
pub(crate) fn load(loader: &Loader<'_>, paths: &[smol_str::SmolStr]) -> Result<TransformerConfig> {
    let mut config = Arc::new(TransformerConfig::default());
    for path in paths {
        let failed = |error: Error| error.wrap(format!("unable to parse open API definition from '{path}'"));
        let bytes = loader.load(path)?;
        let value = value_of(&bytes).map_err(failed)?;
        let Some(definitions) = value.as_object() else {
            let message = "json: cannot unmarshal into Go value of type accumulator.nameToApiMap";
            return Err(failed(Error::invalid(message)));
        };
        if let Some((_, odd)) = definitions.iter().find(|(_, it)| it.as_object().is_none() && !it.is_null()) {
            let found = match odd {
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            let message = format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type accumulator.OpenAPIDefinition"
            );
            let is_json = bytes.first() == Some(&b'{');
            let message = if is_json {
                message.replace("error unmarshaling JSON: while decoding JSON: ", "")
            } else {
                message
            };
            return Err(failed(Error::invalid(message)));
        }
        for (name, definition) in definitions.iter() {
            let Some(properties) = properties(definition) else { continue };
            if !["kind", "apiVersion", "metadata"].iter().all(|field| properties.get(field).is_some()) {
                continue;
            }
            let kind = name.rsplit('.').next().unwrap_or_default();
            let gvk = Gvk { kind: kind.into(), ..Gvk::default() };
            let mut own = TransformerConfig::default();
            add(&mut own, &gvk, &value, name, &[], 0)?;
            config = config.merged(&Arc::new(own))?;
        }
    }
    Ok(Arc::unwrap_or_clone(config))
}

fn properties(definition: &Value) -> Option<&Value> {
    let schema = definition.get("Schema").or_else(|| definition.get("schema"))?;
    schema.get("properties")
}

fn add(
    config: &mut TransformerConfig,
    gvk: &Gvk,
    definitions: &Value,
    name: &str,
    path: &[String],
    depth: usize,
) -> Result<()> {
    let Some(properties) = definitions.get(name).and_then(properties).and_then(Value::as_object) else {
        return Ok(());
    };
    if depth > MAX_REFERENCES {
        return Err(Error::limit(format!(
            "definitions refer to each other deeper than the limit MAX_REFERENCES of {MAX_REFERENCES}"
        )));
    }
    for (field, property) in properties.iter() {
        let mut below = path.to_vec();
        below.push(field.to_string());
        let spec = |path: &[String]| FieldSpec::new(gvk.clone(), path.join("/"), false);
        let says = |extension: &str| property.get(extension).and_then(Value::as_str);
        if says("x-kubernetes-annotation").is_some() {
            FieldSpec::merge_one(&mut config.common_annotations, &spec(&below))?;
        }
        if says("x-kubernetes-label-selector").is_some() {
            FieldSpec::merge_one(&mut config.common_labels, &spec(&below))?;
        }
        if says("x-kubernetes-identity").is_some() {
            FieldSpec::merge_one(&mut config.name_prefix, &spec(&below))?;
        }
        if let (Some(version), Some(kind)) =
            (says("x-kubernetes-object-ref-api-version"), says("x-kubernetes-object-ref-kind"))
        {
            let key = says("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let mut to_name = below.clone();
            to_name.push(key.to_owned());
            let reference = NameReference {
                version: version.into(),
                kind: kind.into(),
                referrers: vec![spec(&to_name)],
                ..NameReference::default()
            };
            match config.name_reference.iter_mut().find(|own| own.gvk() == reference.gvk()) {
                Some(own) => FieldSpec::merge_all(&mut own.referrers, &reference.referrers)?,
                None => config.name_reference.push(reference),
            }
        }
        if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
            add(config, gvk, definitions, reference, &below, depth + 1)?;
        }
    }
    Ok(())
}
