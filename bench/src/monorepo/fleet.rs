//! The files of a repository of many folders, and the Applications that name them.

use serde_json::Value;

use crate::workload::{self, CONTROL_PLANE, name};

/// How many kustomizations lie on one base.
const SHARING: usize = 100;

/// What a folder is rendered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Helm,
    Kustomize,
    Plain,
}

impl Kind {
    /// In the order in which folders take turns.
    pub(super) const ALL: [Self; 3] = [Self::Helm, Self::Kustomize, Self::Plain];

    /// What it is called in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Helm => "a chart",
            Self::Kustomize => "a kustomization on a base",
            Self::Plain => "plain files",
        }
    }
}

/// The folders of one repository.
pub(super) struct Fleet {
    kinds: Vec<Kind>,
}

impl Fleet {
    /// One folder.
    pub(super) fn single(kind: Kind) -> Self {
        Self { kinds: vec![kind] }
    }

    /// Many folders, of each kind a third.
    pub(super) fn mixed(n_folders: usize) -> Self {
        Self { kinds: Kind::ALL.into_iter().cycle().take(n_folders).collect() }
    }

    /// Every folder's number.
    pub(super) fn indices(&self) -> std::ops::Range<usize> {
        0..self.kinds.len()
    }

    /// A folder of a kind; which one depends on `round`.
    pub(super) fn nth_of(&self, kind: Kind, round: usize) -> Option<usize> {
        let all: Vec<usize> = self.indices().filter(|unit_idx| self.kinds[*unit_idx] == kind).collect();
        // Not from the beginning, which may be a better place than others.
        (!all.is_empty()).then(|| all[(all.len() / 2 + round) % all.len()])
    }

    /// The folders that lie on a base.
    pub(super) fn sharing(&self, base_idx: usize) -> Vec<usize> {
        let lies_on = |unit_idx: &usize| {
            self.kinds[*unit_idx] == Kind::Kustomize && self.base_of(*unit_idx) == base_idx
        };
        self.indices().filter(lies_on).collect()
    }

    fn base_of(&self, unit_idx: usize) -> usize {
        unit_idx / Kind::ALL.len() / SHARING
    }

    /// Every file.
    pub(super) fn files(&self, value: &str) -> Vec<(String, String)> {
        let n_bases = self.kinds.len().div_ceil(Kind::ALL.len() * SHARING);
        let bases = (0..n_bases).flat_map(|base_idx| {
            let kustomization =
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [configmap.yaml]\n";
            [
                (format!("bases/{base_idx:03}/kustomization.yaml"), kustomization.to_owned()),
                self.base(base_idx, value),
            ]
        });
        bases.chain(self.indices().flat_map(|unit_idx| self.folder(unit_idx, value))).collect()
    }

    /// What the folders on a base have in common.
    #[expect(clippy::unused_self, reason = "it is a file of this fleet")]
    pub(super) fn base(&self, base_idx: usize, value: &str) -> (String, String) {
        let content = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config\n  labels:\n    base: \"{base_idx:03}\"\n\
             data:\n  value: \"{value}\"\n  config.properties: |\n    color=blue\n    size=large\n"
        );
        (format!("bases/{base_idx:03}/configmap.yaml"), content)
    }

    /// The files of a folder.
    pub(super) fn folder(&self, unit_idx: usize, value: &str) -> Vec<(String, String)> {
        let name = name(unit_idx);
        let file = |path: &str, content: String| (format!("apps/{name}/{path}"), content);
        match self.kinds[unit_idx] {
            Kind::Helm => vec![
                file("Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n")),
                file("values.yaml", format!("value: \"{value}\"\ncolor: blue\nsize: large\n")),
                file(
                    "templates/configmap.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels:\n    \
                     app: {{ .Chart.Name }}\ndata:\n  value: {{ .Values.value | quote }}\n  config.properties: |\n    \
                     color={{ .Values.color }}\n    size={{ .Values.size }}\n"
                        .to_owned(),
                ),
            ],
            Kind::Kustomize => vec![file(
                "kustomization.yaml",
                format!(
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: {name}-\n\
                     resources: [../../bases/{:03}]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: ConfigMap\n    \
                     metadata: {{name: config}}\n    data: {{own: \"{value}\"}}\n",
                    self.base_of(unit_idx),
                ),
            )],
            Kind::Plain => vec![file(
                "configmap.yaml",
                format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\ndata:\n  \
                     value: \"{value}\"\n  config.properties: |\n    color=blue\n    size=large\n"
                ),
            )],
        }
    }

    /// The name of a folder's ConfigMap. Its `value`, or what a kustomization adds as `own`, says what was committed last.
    pub(super) fn config_map(&self, unit_idx: usize) -> String {
        match self.kinds[unit_idx] {
            Kind::Helm | Kind::Plain => name(unit_idx),
            Kind::Kustomize => format!("{}-config", name(unit_idx)),
        }
    }

    /// The Application of a folder.
    #[expect(clippy::unused_self, reason = "it is an Application of this fleet")]
    pub(super) fn application(&self, unit_idx: usize, repository: &str) -> Value {
        let name = name(unit_idx);
        workload::automated(&name, CONTROL_PLANE, repository, &format!("apps/{name}"))
    }
}
