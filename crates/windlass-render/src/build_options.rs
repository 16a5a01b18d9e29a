//! The flags of `kustomize build` that an operator sets for all kustomizations: Argo CD's `kustomize.buildOptions`.

use std::collections::VecDeque;

use windlass_kube::Str;

/// How kustomizations are built, beside what each of them asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KustomizeBuildOptions {
    /// Whether charts are rendered: `--enable-helm`.
    pub enable_helm: bool,
    /// Whether files may lie outside of the folder that names them: `--load-restrictor LoadRestrictionsNone`. They
    /// never lie outside of the source.
    pub load_from_anywhere: bool,
    /// Whether objects stay in the order in which they were gathered: `--reorder none`.
    pub unordered: bool,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`: `--enable-managedby-label`.
    pub managed_by_label: bool,
    /// The version of Kubernetes that charts see: `--helm-kube-version`.
    pub helm_kube_version: Str,
    /// API versions that charts see: `--helm-api-versions`.
    pub helm_api_versions: Vec<Str>,
}

/// A flag that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildOptionError {
    /// There is no such flag.
    #[error("`kustomize build` has no flag {0}")]
    Unknown(String),
    /// The flag's value is missing or none of those it can have.
    #[error("the flag {0} of `kustomize build` has no value that it can have")]
    Value(String),
}

/// Flags that switch on what is refused where a kustomization uses it: plugins and functions that are programs.
const WITHOUT_EFFECT: [&str; 6] = [
    "--enable-alpha-plugins",
    "--enable-exec",
    "--enable-star",
    "--helm-debug",
    "--network",
    "--as-current-user",
];

/// The same, with a value.
const WITHOUT_EFFECT_VALUED: [&str; 5] = ["--helm-command", "--env", "-e", "--mount", "--network-name"];

impl KustomizeBuildOptions {
    /// Reads flags as Argo CD hands them on: separated by white space, without quotes.
    ///
    /// # Errors
    ///
    /// [`BuildOptionError`].
    pub fn parse(flags: &str) -> Result<Self, BuildOptionError> {
        let mut options = Self::default();
        let mut words: VecDeque<&str> = flags.split_whitespace().collect();
        while let Some(word) = words.pop_front() {
            let (flag, mut given) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word, None),
            };
            if WITHOUT_EFFECT_VALUED.contains(&flag) {
                given.or_else(|| words.pop_front()).ok_or_else(|| BuildOptionError::Value(flag.into()))?;
                continue;
            }
            let mut value = || {
                given.take().or_else(|| words.pop_front()).ok_or_else(|| BuildOptionError::Value(flag.into()))
            };
            match flag {
                "--load-restrictor" => {
                    options.load_from_anywhere = match value()? {
                        "LoadRestrictionsNone" | "none" => true,
                        "LoadRestrictionsRootOnly" | "rootOnly" => false,
                        _ => return Err(BuildOptionError::Value(flag.into())),
                    };
                }
                "--reorder" => {
                    options.unordered = match value()? {
                        "none" => true,
                        "legacy" => false,
                        _ => return Err(BuildOptionError::Value(flag.into())),
                    };
                }
                "--helm-kube-version" => options.helm_kube_version = value()?.into(),
                "--helm-api-versions" => options.helm_api_versions.push(value()?.into()),
                "--enable-helm" => options.enable_helm = switch(flag, given)?,
                "--enable-managedby-label" => options.managed_by_label = switch(flag, given)?,
                _ if WITHOUT_EFFECT.contains(&flag) => {
                    switch(flag, given)?;
                }
                _ => return Err(BuildOptionError::Unknown(flag.into())),
            }
        }
        Ok(options)
    }
}

/// A flag that is on where it stands, unless it says otherwise.
fn switch(flag: &str, value: Option<&str>) -> Result<bool, BuildOptionError> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(_) => Err(BuildOptionError::Value(flag.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_kustomize_reads_them() {
        let parse = KustomizeBuildOptions::parse;
        assert_eq!(parse("").unwrap(), KustomizeBuildOptions::default());
        let options = parse(
            "--enable-helm --load-restrictor=LoadRestrictionsNone --reorder none --helm-api-versions a/v1 \
             --helm-api-versions=b/v1 --helm-kube-version v1.30.0 --enable-alpha-plugins --helm-command helm3",
        );
        let expected = KustomizeBuildOptions {
            enable_helm: true,
            load_from_anywhere: true,
            unordered: true,
            managed_by_label: false,
            helm_kube_version: "v1.30.0".into(),
            helm_api_versions: vec!["a/v1".into(), "b/v1".into()],
        };
        assert_eq!(options.unwrap(), expected);
        assert!(!parse("--enable-helm=false").unwrap().enable_helm);
        assert_eq!(parse("--enable-hlm").unwrap_err(), BuildOptionError::Unknown("--enable-hlm".into()));
        assert_eq!(parse("--reorder").unwrap_err(), BuildOptionError::Value("--reorder".into()));
        assert_eq!(
            parse("--load-restrictor x").unwrap_err(),
            BuildOptionError::Value("--load-restrictor".into())
        );
    }
}
