//! The build environment: what `$NAME` stands for in options.

use windlass_kube::Str;
use windlass_model::{HelmOptions, KustomizeOptions, Renderer};

/// Names and values that options may refer to: those of Argo CD's build environment.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(Str, Str)>);

impl Environment {
    /// An environment of these names and values.
    pub fn new(entries: impl IntoIterator<Item = (Str, Str)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// The names and values.
    #[must_use]
    pub fn entries(&self) -> &[(Str, Str)] {
        &self.0
    }

    /// Replaces `$NAME` and `${NAME}`; `$$` is a dollar sign, and a name that is not known is nothing.
    ///
    /// The rules, those for broken references too, are those of Go's `os.Expand` as Argo CD calls it.
    #[must_use]
    pub fn expand(&self, text: &str) -> Str {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, reference) = (&rest[..at], &rest[at + 1..]);
            if reference.is_empty() {
                break;
            }
            expanded.push_str(before);
            let (name, length) = name_of(reference);
            match name {
                Some("$") => expanded.push('$'),
                Some(name) => {
                    let value = self.0.iter().find(|(known, _)| known == name);
                    expanded.push_str(value.map_or("", |(_, value)| value));
                }
                None if length == 0 => expanded.push('$'),
                // A broken reference is left out.
                None => {}
            }
            rest = &reference[length..];
        }
        expanded.push_str(rest);
        expanded.into()
    }

    /// The options with references replaced where Argo CD 3.6 replaces them.
    ///
    /// A value file that starts with `$name/` refers to the source of that name if `is_source` knows it.
    #[must_use]
    pub fn resolve(&self, renderer: &Renderer, is_source: impl Fn(&str) -> bool) -> Renderer {
        match renderer {
            Renderer::Helm(options) => Renderer::Helm(Box::new(self.resolve_helm(options, is_source))),
            Renderer::Kustomize(options) => {
                let mut options = KustomizeOptions::clone(options);
                for image in &mut options.images {
                    *image = self.expand(image);
                }
                let annotations = options.common_annotations.iter_mut();
                let annotations = annotations.filter(|_| options.common_annotations_envsubst);
                for (_, value) in options.common_labels.iter_mut().chain(annotations) {
                    *value = self.expand(value);
                }
                Renderer::Kustomize(Box::new(options))
            }
            Renderer::Directory(options) => {
                let mut options = options.clone();
                if let Some(jsonnet) = &mut options.jsonnet {
                    let variables = jsonnet.external_variables.iter_mut();
                    for variable in variables.chain(&mut jsonnet.top_level_arguments) {
                        variable.value = self.expand(&variable.value);
                    }
                }
                Renderer::Directory(options)
            }
            // Plugins are given the environment, in which theirs is resolved.
            other @ (Renderer::Detect | Renderer::Plugin(_)) => other.clone(),
        }
    }

    fn resolve_helm(&self, options: &HelmOptions, is_source: impl Fn(&str) -> bool) -> HelmOptions {
        let mut options = options.clone();
        let path = |path: &Str| match reference(path) {
            Some((name, rest)) if is_source(name) => format!("${name}{}", self.expand(rest)).into(),
            _ => self.expand(path),
        };
        for file in &mut options.value_files {
            *file = path(file);
        }
        for (_, file) in &mut options.file_parameters {
            *file = path(file);
        }
        for parameter in &mut options.parameters {
            parameter.value = self.expand(&parameter.value);
        }
        options
    }
}

/// The source that a path refers to, and the rest from its slash on: `$name/rest`.
pub(crate) fn reference(path: &str) -> Option<(&str, &str)> {
    let reference = path.strip_prefix('$')?;
    let slash = reference.find('/').unwrap_or(reference.len());
    Some(reference.split_at(slash))
}

/// The name at the beginning of what follows a dollar sign, if there is one, and how many bytes it takes.
fn name_of(reference: &str) -> (Option<&str>, usize) {
    let bytes = reference.as_bytes();
    let is_special = |byte: u8| b"*#$@!?-0123456789".contains(&byte);
    if bytes[0] == b'{' {
        if bytes.len() > 2 && is_special(bytes[1]) && bytes[2] == b'}' {
            return (Some(&reference[1..2]), 3);
        }
        return match reference.find('}') {
            Some(1) => (None, 2),
            Some(end) => (Some(&reference[1..end]), end + 1),
            None => (None, 1),
        };
    }
    if is_special(bytes[0]) {
        return (Some(&reference[..1]), 1);
    }
    let end =
        bytes.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).unwrap_or(bytes.len());
    if end == 0 { (None, 0) } else { (Some(&reference[..end]), end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `os.Expand` of Go 1.26.8 gives, called as Argo CD calls it.
    const EXPANDED: [(&str, &str); 27] = [
        ("", ""),
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}", "1"),
        ("$A_B-x", "2-x"),
        ("$$A", "$A"),
        ("$$", "$"),
        ("a$", "a$"),
        ("$", "$"),
        ("${}", ""),
        ("${", ""),
        ("${A", "A"),
        ("$-x", "x"),
        ("$1a", "a"),
        ("${1}", ""),
        ("${*}", ""),
        ("$*", ""),
        ("x${ARGOCD_APP_NAME}y", "xweby"),
        ("$UNKNOWN.", "."),
        ("${UN KNOWN}z", "z"),
        ("$é", "$é"),
        ("a$$b$A", "a$b1"),
        ("${$}", "$"),
        ("$A$A", "11"),
        ("100%$", "100%$"),
        ("{$A}", "{1}"),
        ("${A}}", "1}"),
    ];

    #[test]
    fn references_are_replaced_as_in_go() {
        let pairs = [("A", "1"), ("ARGOCD_APP_NAME", "web"), ("A_B", "2")];
        let environment = Environment::new(pairs.map(|(name, value)| (name.into(), value.into())));
        for (text, expanded) in EXPANDED {
            assert_eq!(environment.expand(text), expanded, "{text}");
        }
    }
}
