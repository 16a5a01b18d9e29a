//! `windlass install`: prints what a real cluster needs, for `kubectl apply`.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::output;

/// Options of `windlass install`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InstallOptions {
    /// The namespace of the control plane.
    #[arg(long, default_value = "argocd", value_name = "NAME")]
    namespace: String,
    /// The container image to run; it has the `windlass` binary as its entry point.
    #[arg(long, default_value = concat!("windlass:", env!("CARGO_PKG_VERSION")), value_name = "IMAGE")]
    image: String,
    /// How many replicas run; one acts, the others are ready to take over.
    #[arg(long, default_value_t = 1, value_name = "N")]
    replicas: u32,
    /// What the engine may do with the objects it deploys.
    #[arg(long, value_enum, default_value_t = ApplyRole::ClusterAdmin, value_name = "ROLE")]
    apply_role: ApplyRole,
    /// Deploy to these namespaces alone, and with rights in them and in its own alone: Roles, no ClusterRole. They must be
    /// there. Comma-separated or repeated.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only_namespaces: Vec<String>,
    /// Only the CustomResourceDefinitions.
    #[arg(long)]
    crds_only: bool,
}

/// What the engine may do with the objects it deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApplyRole {
    /// Everything, as it has to where people deploy anything.
    ClusterAdmin,
    /// Reads everything, and writes only as the ServiceAccounts that projects name in destinationServiceAccounts.
    Impersonate,
    /// Nothing: bind roles of your own to the ServiceAccount.
    None,
}

/// Prints the manifests.
pub(crate) fn run(options: &InstallOptions) -> Result<()> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = |name: &str| !name.is_empty() && name.len() <= 63 && name.bytes().all(is_part);
    let own = std::iter::once(("--namespace", &options.namespace));
    let only = options.only_namespaces.iter().map(|name| ("--only-namespaces", name));
    if let Some((flag, name)) = own.chain(only).find(|(_, name)| !is_name(name)) {
        bail!("{flag} {name:?} is no name of a namespace: lower-case letters, digits and -");
    }
    if options.image.is_empty() || options.image.contains(char::is_whitespace) {
        bail!("--image {:?} is no name of an image", options.image);
    }
    output::print(&manifests(options))
}

/// All manifests as one text.
fn manifests(options: &InstallOptions) -> String {
    let crds =
        windlass_argo::crds().into_iter().map(|crd| windlass_yaml::to_yaml(&windlass_kube::Value::from(crd)));
    let crds = crds.collect::<Vec<_>>().join("---\n");
    if options.crds_only {
        return crds;
    }
    let fill = |template: &str| {
        template
            .replace("NAMESPACE", &options.namespace)
            .replace("IMAGE", &options.image)
            .replace("REPLICAS", &options.replicas.to_string())
    };
    let mut parts = vec![fill(NAMESPACE), crds, fill(ACCOUNT)];
    let is_narrow = !options.only_namespaces.is_empty();
    if is_narrow {
        parts.extend([
            fill(OWN_ROLE),
            fill(OWN_BINDING),
            fill(EXTENT).replace("ONLY", &options.only_namespaces.join(",")),
        ]);
        for name in &options.only_namespaces {
            let role = match options.apply_role {
                ApplyRole::ClusterAdmin => TARGET_ROLE,
                ApplyRole::Impersonate => TARGET_IMPERSONATING_ROLE,
                ApplyRole::None => continue,
            };
            parts.push(fill(&format!("{role}{TARGET_BINDING}")).replace("TARGET", name));
        }
    } else {
        parts.extend([fill(ROLES), fill(OWN_BINDING)]);
    }
    match options.apply_role {
        ApplyRole::ClusterAdmin if !is_narrow => parts.push(fill(&format!("{APPLY_ROLE}{APPLY_BINDING}"))),
        ApplyRole::Impersonate if !is_narrow => {
            parts.push(fill(&format!("{IMPERSONATING_ROLE}{APPLY_BINDING}---\n{SETTINGS}")));
        }
        ApplyRole::Impersonate => parts.push(fill(SETTINGS)),
        ApplyRole::ClusterAdmin | ApplyRole::None => {}
    }
    let workload = fill(WORKLOAD);
    parts.push(if is_narrow {
        let own = format!("        - --namespace={}\n", options.namespace);
        workload.replacen(&own, &format!("{own}        - --watch-namespace={}\n", options.namespace), 1)
    } else {
        workload
    });
    if options.replicas > 1 {
        parts.push(fill(BUDGET));
    }
    parts.push(format!(
        "# The project of Applications that name no other; it allows everything. Narrow it as you like.\n{}",
        windlass_yaml::to_yaml(&crate::up::default_project(&options.namespace))
    ));
    parts.join("---\n")
}

const NAMESPACE: &str = "\
# Windlass, as printed by `windlass install`. Apply with:
#   windlass install --crds-only | kubectl apply --server-side -f -
#   windlass install | kubectl apply --server-side -f -
# (the first once, so that the cluster knows AppProjects before it is given one)
apiVersion: v1
kind: Namespace
metadata:
  name: NAMESPACE
";

const ACCOUNT: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
";

const ROLES: &str = "\
# What the control plane itself needs: Applications and their projects, in all namespaces, Events on them, and to
# see which kinds come and go.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: windlass
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [get, list, watch, update, patch]
- apiGroups: [argoproj.io]
  resources: [applications/status, applications/finalizers]
  verbs: [update, patch]
- apiGroups: [argoproj.io]
  resources: [appprojects]
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [events]
  verbs: [create, patch]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: windlass
  labels:
    app.kubernetes.io/name: windlass
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: windlass
subjects:
- kind: ServiceAccount
  name: windlass
  namespace: NAMESPACE
---
# In its own namespace: access to repositories and clusters, settings, and the Leases by which replicas share the work.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: ['']
  resources: [secrets, configmaps]
  verbs: [get, list, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
";

const OWN_BINDING: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: windlass
subjects:
- kind: ServiceAccount
  name: windlass
  namespace: NAMESPACE
";

const OWN_ROLE: &str = "\
# What the control plane itself needs, in its own namespace alone: Applications and their projects, Events on them, access
# to repositories, settings, and the Leases by which replicas share the work.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [get, list, watch, update, patch]
- apiGroups: [argoproj.io]
  resources: [applications/status, applications/finalizers]
  verbs: [update, patch]
- apiGroups: [argoproj.io]
  resources: [appprojects]
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [events]
  verbs: [create, patch]
- apiGroups: ['']
  resources: [secrets, configmaps]
  verbs: [get, list, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
";

const EXTENT: &str = "\
# Which part of this cluster is looked at: what lies elsewhere, or in no namespace, is refused with these words in mind.
apiVersion: v1
kind: Secret
metadata:
  name: cluster-in-cluster
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
    argocd.argoproj.io/secret-type: cluster
stringData:
  name: in-cluster
  server: https://kubernetes.default.svc
  namespaces: 'ONLY'
  clusterResources: 'false'
  config: '{}'
";

const TARGET_ROLE: &str = "\
# For what people deploy to this namespace: it may be anything, so the engine may do anything there. To narrow it, print
# with --apply-role none and bind roles of your own to the ServiceAccount windlass.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: windlass-apply
  namespace: TARGET
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: ['*']
  resources: ['*']
  verbs: ['*']
";

const TARGET_IMPERSONATING_ROLE: &str = "\
# The engine itself only looks at this namespace. ServiceAccounts of it write, and may do what roles of yours allow them;
# which one writes stands in destinationServiceAccounts of each AppProject.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: windlass-apply
  namespace: TARGET
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: ['*']
  resources: ['*']
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [serviceaccounts]
  verbs: [impersonate]
";

const TARGET_BINDING: &str = "\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: windlass-apply
  namespace: TARGET
  labels:
    app.kubernetes.io/name: windlass
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: windlass-apply
subjects:
- kind: ServiceAccount
  name: windlass
  namespace: NAMESPACE
";

const APPLY_ROLE: &str = "\
# For what people deploy: it may be anything, so the engine may do anything. Whoever may write Applications, or
# push to a repository that one names, can use this, within what the AppProject allows. To narrow it, print
# with --apply-role none and bind roles of your own to the ServiceAccount windlass: it must get, list, watch,
# create, patch and delete the kinds that you deploy in all namespaces, and get, list, watch, create and patch
# Namespaces if CreateNamespace=true is used.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: windlass-apply
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: ['*']
  resources: ['*']
  verbs: ['*']
- nonResourceURLs: ['*']
  verbs: ['*']
";

const IMPERSONATING_ROLE: &str = "\
# For what people deploy: the engine itself only looks. ServiceAccounts write, and may do what roles of yours allow
# them; which one writes where stands in destinationServiceAccounts of each AppProject.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: windlass-apply
  labels:
    app.kubernetes.io/name: windlass
rules:
- apiGroups: ['*']
  resources: ['*']
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [serviceaccounts]
  verbs: [impersonate]
";

const SETTINGS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/part-of: argocd
data:
  application.sync.impersonation.enabled: 'true'
";

const APPLY_BINDING: &str = "\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: windlass-apply
  labels:
    app.kubernetes.io/name: windlass
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: windlass-apply
subjects:
- kind: ServiceAccount
  name: windlass
  namespace: NAMESPACE
";

const WORKLOAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
spec:
  replicas: REPLICAS
  selector:
    matchLabels:
      app.kubernetes.io/name: windlass
  template:
    metadata:
      labels:
        app.kubernetes.io/name: windlass
      annotations:
        prometheus.io/scrape: 'true'
        prometheus.io/port: '8082'
    spec:
      serviceAccountName: windlass
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
      - name: windlass
        image: IMAGE
        args:
        - controller
        - --namespace=NAMESPACE
        - --listen=0.0.0.0:8082
        - --data-dir=/data
        - --share-work
        - --log-format=json
        ports:
        - name: http
          containerPort: 8082
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          periodSeconds: 10
        readinessProbe:
          httpGet:
            path: /readyz
            port: http
          periodSeconds: 5
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            memory: 1Gi
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
        volumeMounts:
        - name: data
          mountPath: /data
        - name: tmp
          mountPath: /tmp
      volumes:
      # Repositories; they are fetched again where they are gone.
      - name: data
        emptyDir: {}
      - name: tmp
        emptyDir: {}
---
# Metrics, health, and webhooks of Git hosts.
apiVersion: v1
kind: Service
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
spec:
  selector:
    app.kubernetes.io/name: windlass
  ports:
  - name: http
    port: 80
    targetPort: http
";

const BUDGET: &str = "\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: windlass
  namespace: NAMESPACE
  labels:
    app.kubernetes.io/name: windlass
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: windlass
";

#[cfg(test)]
mod tests {
    use windlass_kube::{Object, Value};

    use super::*;

    fn objects(options: &InstallOptions) -> Vec<Object> {
        let text = manifests(options);
        let documents = windlass_yaml::load_manifest(&text, &windlass_yaml::LoadOptions::default());
        documents.into_iter().map(|document| Object::try_new(document.unwrap().value).unwrap()).collect()
    }

    fn options() -> InstallOptions {
        InstallOptions {
            namespace: "gitops".into(),
            image: "registry.example/windlass:1".into(),
            replicas: 2,
            apply_role: ApplyRole::ClusterAdmin,
            only_namespaces: Vec::new(),
            crds_only: false,
        }
    }

    #[test]
    fn rights_can_be_those_of_single_namespaces() {
        for apply_role in [ApplyRole::ClusterAdmin, ApplyRole::Impersonate, ApplyRole::None] {
            let only_namespaces = vec!["team-a".into(), "team-b".into()];
            let narrow = InstallOptions { only_namespaces, apply_role, ..options() };
            let objects = objects(&narrow);
            let of_kind = |kind: &str| -> Vec<String> {
                let found = objects.iter().filter(|object| object.kind() == kind);
                found.map(|object| format!("{}/{}", object.namespace(), object.name())).collect()
            };
            assert!(of_kind("ClusterRole").is_empty() && of_kind("ClusterRoleBinding").is_empty());
            let expected: &[&str] = match apply_role {
                ApplyRole::None => &["gitops/windlass"],
                _ => &["gitops/windlass", "team-a/windlass-apply", "team-b/windlass-apply"],
            };
            assert_eq!(
                (of_kind("Role"), of_kind("RoleBinding")),
                (
                    expected.iter().map(|it| (*it).into()).collect(),
                    expected.iter().map(|it| (*it).into()).collect()
                )
            );
            let secret = objects.iter().find(|object| object.kind() == "Secret").unwrap();
            assert_eq!(secret.str_at(&["stringData", "namespaces"]), "team-a,team-b");
            assert!(manifests(&narrow).contains("- --watch-namespace=gitops\n"));
        }
        assert!(!manifests(&options()).contains("--watch-namespace"));
    }

    #[test]
    fn every_document_is_an_object_in_the_right_place() {
        let objects = objects(&options());
        let names: Vec<String> = objects.iter().map(|object| object.object_ref().to_string()).collect();
        for expected in [
            "Namespace gitops",
            "CustomResourceDefinition.apiextensions.k8s.io applications.argoproj.io",
            "CustomResourceDefinition.apiextensions.k8s.io appprojects.argoproj.io",
            "ServiceAccount gitops/windlass",
            "ClusterRole.rbac.authorization.k8s.io windlass",
            "ClusterRole.rbac.authorization.k8s.io windlass-apply",
            "Role.rbac.authorization.k8s.io gitops/windlass",
            "Deployment.apps gitops/windlass",
            "Service gitops/windlass",
            "PodDisruptionBudget.policy gitops/windlass",
            "AppProject.argoproj.io gitops/default",
        ] {
            assert!(names.iter().any(|name| name == expected), "{expected} is not in {names:?}");
        }
        let deployment = objects.iter().find(|object| object.kind() == "Deployment").unwrap();
        assert_eq!(deployment.at(&["spec", "replicas"]).and_then(Value::as_int), Some(2));
        let container = &deployment.at(&["spec", "template", "spec"]).unwrap().items_at(&["containers"])[0];
        assert_eq!(container.str_at(&["image"]), Some("registry.example/windlass:1"));
    }

    #[test]
    fn the_arguments_of_the_deployment_are_those_of_the_binary() {
        use clap::Parser;
        let objects = objects(&options());
        let deployment = objects.iter().find(|object| object.kind() == "Deployment").unwrap();
        let container = &deployment.at(&["spec", "template", "spec"]).unwrap().items_at(&["containers"])[0];
        let arguments = container.items_at(&["args"]).iter().filter_map(Value::as_str);
        let line = std::iter::once("windlass").chain(arguments);
        assert!(crate::cli::Cli::try_parse_from(line).is_ok());
    }

    #[test]
    fn the_role_for_applying_can_be_left_out() {
        let narrow = InstallOptions { apply_role: ApplyRole::None, ..options() };
        assert!(objects(&narrow).iter().all(|object| object.name() != "windlass-apply"));
        assert!(!manifests(&narrow).contains("resources: ['*']"));
    }

    #[test]
    fn crds_can_be_had_alone() {
        let crds = objects(&InstallOptions { crds_only: true, ..options() });
        assert!(!crds.is_empty() && crds.iter().all(|object| object.kind() == "CustomResourceDefinition"));
    }

    #[test]
    fn names_that_would_break_the_manifests_are_refused() {
        for (namespace, image) in [("Argo", "a"), ("a\nb", "a"), ("a", "a b"), ("a", "")] {
            let bad = InstallOptions { namespace: namespace.into(), image: image.into(), ..options() };
            assert!(run(&bad).is_err(), "{namespace:?} {image:?}");
        }
    }
}
