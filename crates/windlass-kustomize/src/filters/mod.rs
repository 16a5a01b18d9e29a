//! The functions on nodes that transformers are made of, as kyaml and kustomize's `filters` have them.
//!
//! Each takes nodes and plain arguments; none knows of files or of the order of transformers.
//! `transformers` chooses the resources, calls these and keeps what a resource remembers beside its
//! node (earlier identities, prefixes, suffixes).

pub mod affix;
pub mod field_spec;
pub mod growth;
pub mod images;
pub mod json6902;
pub mod labels;
pub mod name_reference;
pub mod namespace;
pub mod openapi;
pub mod path;
mod path_match;
pub mod print;
pub mod refvar;
pub mod replacement;
pub mod replicas;
pub mod selector;
pub mod strategic_merge;
pub mod value_add;

/// A float as Go's `%v` and yaml.v3 print it.
fn go_float(float: f64) -> String {
    windlass_go::fmt::format_float(float, b'g', None, 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::TransformerConfig;
    use crate::filters::field_spec::FieldSpec;

    /// The tables that `tools/oracle-kustomize` took from kustomize's module are the tables that are built in.
    #[test]
    fn the_built_in_tables_are_those_of_kustomize() {
        let mut recorded: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut table = "";
        for line in include_str!("data/config.txt").lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => table = name.split(' ').next().unwrap(),
                None => recorded.entry(table).or_default().push(line.to_owned()),
            }
        }
        let shown = |spec: &FieldSpec| {
            let gvk = [&spec.gvk.group, &spec.gvk.version, &spec.gvk.kind];
            let gvk = gvk.map(|part| if part.is_empty() { "-" } else { part.as_str() });
            format!("{} {} {}", gvk.join(" "), spec.create, spec.path())
        };
        let config = TransformerConfig::defaults();
        let references = config.name_reference.iter().flat_map(|reference| &reference.referrers);
        let tables: [(&str, Vec<String>); 10] = [
            ("namePrefix", config.name_prefix.iter().map(shown).collect()),
            ("nameSuffix", config.name_suffix.iter().map(shown).collect()),
            ("namespace", config.namespace.iter().map(shown).collect()),
            ("commonLabels", config.common_labels.iter().map(shown).collect()),
            ("templateLabels", config.template_labels.iter().map(shown).collect()),
            ("commonAnnotations", config.common_annotations.iter().map(shown).collect()),
            ("nameReference", references.map(shown).collect()),
            ("varReference", config.var_reference.iter().map(shown).collect()),
            ("images", config.images.iter().map(shown).collect()),
            ("replicas", config.replicas.iter().map(shown).collect()),
        ];
        assert_eq!(recorded.len(), tables.len());
        for (name, mut fields) in tables {
            let mut expected = recorded.remove(name).unwrap();
            expected.sort();
            fields.sort();
            assert_eq!(fields, expected, "{name}");
        }
    }
}
