//! Random kustomizations: bases, overlays, components, generators, patches, replacements and the rest, laid on
//! each other up to four levels deep.
//!
//! Names come from a small set, so that references, patches and replacements find something most of the time, and
//! errors stay a part of what is compared.

use std::path::Path;

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const NAMES: &[&str] = &["web", "api", "db", "conf", "cred", "job"];
const KINDS: &[&str] = &[
    "Deployment",
    "Deployment",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ConfigMap",
    "ConfigMap",
    "Secret",
    "Service",
    "Service",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Ingress",
    "CronJob",
    "Job",
    "HorizontalPodAutoscaler",
    "Thing",
    "Thing",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "ValidatingWebhookConfiguration",
    "CustomResourceDefinition",
];

/// An object as a later patch or replacement may name it.
#[derive(Clone)]
struct Known {
    kind: &'static str,
    name: String,
}

/// Composes kustomizations into files.
struct Composer {
    random: Random,
    files: Vec<(String, String)>,
    /// The names of objects so far.
    used: Vec<String>,
}

/// Writes the kustomizations of a seed below a folder, and returns the folders to build.
pub(crate) fn compose(count: usize, seed: u64, below: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut folders = Vec::with_capacity(count);
    for number in 0..count {
        let mixed = seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
        let mut composer = Composer { random: Random(mixed), files: Vec::new(), used: Vec::new() };
        let levels = [0, 1, 1, 2, 2, 3][composer.random.below(6)];
        let name = format!("{seed}-{number}");
        composer.kustomization(&name, levels, false);
        for (path, text) in composer.files {
            let file = below.join(path);
            std::fs::create_dir_all(file.parent().unwrap())?;
            std::fs::write(file, text)?;
        }
        folders.push(below.join(name));
    }
    Ok(folders)
}

impl Composer {
    fn metadata(&mut self, name: &str) -> String {
        let random = &mut self.random;
        let mut text = format!("  name: {name}\n");
        if random.percent(15) {
            text.push_str(&format!("  namespace: {}\n", random.pick(&["a", "b", "default"])));
        }
        if random.percent(40) {
            text.push_str(&format!("  labels:\n    app: {name}\n"));
            if random.percent(50) {
                text.push_str(&format!("    tier: {}\n", random.pick(&["x", "\"1\"", "yes", "''"])));
            }
        }
        if random.percent(30) {
            let note = random.pick(&["hi", "\"1\"", "\"true\"", "a: b", "|\n      x\n      y"]);
            let note = if note == "a: b" { "'a: b'" } else { note };
            text.push_str(&format!("  annotations:\n    note: {note}\n"));
        }
        text
    }

    fn pod(&mut self, indent: usize) -> String {
        let used = self.used.clone();
        let random = &mut self.random;
        let pick_name = |random: &mut Random| used[random.below(used.len())].clone();
        let pad = " ".repeat(indent);
        let mut lines = Vec::new();
        for list in ["initContainers", "containers"] {
            if list == "initContainers" && random.percent(80) {
                continue;
            }
            lines.push(format!("{list}:"));
            for number in 0..=random.below(3) {
                lines.push(format!("- name: c{number}"));
                let image = random.pick(&[
                    "nginx",
                    "nginx:1.2",
                    "reg.io:5000/a/b:v1",
                    "x@sha256:ab",
                    "nginx:1@sha256:ab",
                    "\"nginx:latest\"",
                ]);
                lines.push(format!("  image: {image}"));
                if random.percent(40) {
                    let value = random.pick(&["1", "x", "$(VAR)", "$(VAR2)-b", "$(NONE)", "$$(VAR)", "yes"]);
                    lines.push(format!("  env:\n{pad}  - name: A\n{pad}    value: \"{value}\""));
                    if random.percent(50) {
                        let name = pick_name(random);
                        let what = random.pick(&["configMapKeyRef", "secretKeyRef"]);
                        lines.push(format!(
                            "  - name: B\n{pad}    valueFrom:\n{pad}      {what}: {{name: {name}, key: k}}"
                        ));
                    }
                }
                if random.percent(30) {
                    let name = pick_name(random);
                    lines.push(format!("  envFrom:\n{pad}  - configMapRef:\n{pad}      name: {name}"));
                }
                if random.percent(30) {
                    lines.push(format!("  ports:\n{pad}  - containerPort: 80"));
                    if random.percent(50) {
                        lines.push("  - {containerPort: 80, protocol: UDP, name: u}".to_owned());
                    }
                }
                if random.percent(30) {
                    lines.push("  args: [\"--a\", '$(VAR)', 1s]".to_owned());
                }
                if random.percent(20) {
                    lines.push("  resources: {limits: {cpu: 1, memory: \"1Gi\"}}".to_owned());
                }
            }
        }
        if random.percent(40) {
            let (secret, map) = (pick_name(random), pick_name(random));
            lines.push(format!("volumes:\n{pad}- name: v\n{pad}  secret:\n{pad}    secretName: {secret}"));
            if random.percent(50) {
                lines.push(format!(
                    "- name: w\n{pad}  projected:\n{pad}    sources:\n{pad}    - configMap: {{name: {map}}}"
                ));
            }
        }
        if random.percent(30) {
            lines.push(format!("serviceAccountName: {}", pick_name(random)));
        }
        lines.iter().map(|line| format!("{pad}{line}\n")).collect()
    }

    fn object(&mut self) -> (Known, String) {
        let kind = self.random.pick(KINDS);
        // Most names are there once, so that most kustomizations build.
        let mut name = self.random.pick(NAMES).to_owned();
        if self.random.percent(90) {
            name = format!("{name}{}", self.used.len());
        }
        self.used.push(name.clone());
        let metadata = self.metadata(&name);
        let head = |version: &str| format!("apiVersion: {version}\nkind: {kind}\nmetadata:\n{metadata}");
        let other = self.used[self.random.below(self.used.len())].clone();
        let text = match kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                let mut text = format!("{}spec:\n", head("apps/v1"));
                if kind != "DaemonSet" && self.random.percent(50) {
                    text.push_str(&format!("  replicas: {}\n", self.random.below(4)));
                }
                if kind == "StatefulSet" {
                    text.push_str(&format!("  serviceName: {other}\n"));
                    if self.random.percent(40) {
                        text.push_str("  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce]}\n");
                    }
                }
                text.push_str(&format!(
                    "  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n"
                ));
                text + &self.pod(6)
            }
            "CronJob" => {
                format!(
                    "{}spec:\n  schedule: '* * * * *'\n  jobTemplate:\n    spec:\n      template:\n        spec:\n",
                    head("batch/v1")
                ) + &self.pod(10)
            }
            "Job" => format!("{}spec:\n  template:\n    spec:\n", head("batch/v1")) + &self.pod(6),
            "ConfigMap" => head("v1") + "data:\n  a: b\n  n: \"1\"\n  m: |\n    x\n      y\n",
            "Secret" => head("v1") + "stringData:\n  a: b\n",
            "Service" => {
                format!("{}spec:\n  selector:\n    app: {other}\n  ports:\n  - port: 80\n", head("v1"))
            }
            "ServiceAccount" => {
                if self.random.percent(30) {
                    format!("{}imagePullSecrets:\n- name: {other}\n", head("v1"))
                } else {
                    head("v1")
                }
            }
            "Role" | "ClusterRole" => format!(
                "{}rules:\n- apiGroups: [\"\"]\n  resources: [configmaps]\n  resourceNames: [{other}]\n  verbs: [get]\n",
                head("rbac.authorization.k8s.io/v1")
            ),
            "RoleBinding" | "ClusterRoleBinding" => {
                let role = self.random.pick(&["Role", "ClusterRole"]);
                let account = self.random.pick(&["web", "api", "default"]);
                let namespace = self.random.pick(&["a", "b", "default"]);
                format!(
                    "{}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role}\n  name: {other}\nsubjects:\n- kind: ServiceAccount\n  name: {account}\n  namespace: {namespace}\n- kind: User\n  name: u\n",
                    head("rbac.authorization.k8s.io/v1")
                )
            }
            "Ingress" => format!(
                "{}spec:\n  defaultBackend:\n    service:\n      name: {other}\n  rules:\n  - http:\n      paths:\n      - backend: {{service: {{name: {name}}}}}\n  tls:\n  - secretName: {other}\n",
                head("networking.k8s.io/v1")
            ),
            "HorizontalPodAutoscaler" => format!(
                "{}spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: {}\n    name: {other}\n",
                head("autoscaling/v2"),
                self.random.pick(&["Deployment", "StatefulSet"])
            ),
            "NetworkPolicy" => format!(
                "{}spec:\n  podSelector:\n    matchLabels: {{app: {other}}}\n  ingress:\n  - from:\n    - podSelector:\n        matchLabels: {{role: c}}\n",
                head("networking.k8s.io/v1")
            ),
            "PersistentVolumeClaim" => {
                format!(
                    "{}spec:\n  volumeName: {other}\n  resources: {{requests: {{storage: 1Gi}}}}\n",
                    head("v1")
                )
            }
            "ValidatingWebhookConfiguration" => format!(
                "{}webhooks:\n- name: h.x.io\n  clientConfig:\n    service: {{name: {other}, namespace: a}}\n",
                head("admissionregistration.k8s.io/v1")
            ),
            "CustomResourceDefinition" => {
                let plain = format!(
                    "apiVersion: apiextensions.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}s.x.io\n"
                );
                plain + "spec:\n  group: x.io\n  names: {kind: Thing, plural: things}\n"
            }
            "Namespace" => {
                let name = self.random.pick(&["a", "b", "nn"]);
                format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
            }
            _ => {
                let scalar =
                    self.random.pick(&["1", "yes", "\"yes\"", "1.0", "2020-01-01", "~", "a-b-c", "''"]);
                format!(
                    "apiVersion: x.io/v1\nkind: Thing\nmetadata:\n{metadata}spec:\n  list:\n  - name: a\n    v: 1\n  - name: b\n  map: {{x.y/z: \"q\", k: v}}\n  scalar: {scalar}\n"
                )
            }
        };
        (Known { kind, name }, text)
    }

    /// Writes a kustomization with all below it; returns what it holds.
    fn kustomization(&mut self, folder: &str, level: usize, is_component: bool) -> Vec<Known> {
        let mut known: Vec<Known> = Vec::new();
        let mut resources = Vec::new();
        let mut text = String::new();
        if is_component {
            text.push_str("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n");
        }
        if (level == 0 && !is_component) || self.random.percent(if is_component { 40 } else { 50 }) {
            let mut objects = Vec::new();
            for _ in 0..=self.random.below(6) {
                let (object, written) = self.object();
                let is_same = |it: &Known| it.kind == object.kind && it.name == object.name;
                if object.kind == "Namespace" && known.iter().any(|it| it.kind == "Namespace") {
                    continue;
                }
                if known.iter().any(is_same) && self.random.percent(97) {
                    continue;
                }
                known.push(object);
                objects.push(written);
            }
            let own = if self.random.percent(10) {
                let items = objects.iter().map(|object| {
                    let lines: Vec<String> = object.lines().map(|line| format!("  {line}\n")).collect();
                    let item = lines.concat();
                    format!("- {}", &item[2..])
                });
                format!("apiVersion: v1\nkind: List\nitems:\n{}", items.collect::<String>())
            } else {
                objects.join(self.random.pick(&["---\n", "--- # next\n", "# a comment\n---\n"]))
            };
            self.files.push((format!("{folder}/r.yaml"), own));
            resources.push("r.yaml".to_owned());
        }
        if level > 0 {
            for number in 0..[1, 1, 1, 2][self.random.below(4)] {
                let below = format!("b{number}");
                known.extend(self.kustomization(&format!("{folder}/{below}"), level - 1, false));
                resources.push(below);
            }
        }
        text.push_str(&format!("resources: [{}]\n", resources.join(", ")));
        self.names(&mut text);
        self.generators(&mut text, folder, &known);
        self.patches(&mut text, folder, &known);
        self.replacements(&mut text, folder, &known);
        self.rest(&mut text, folder, &known);
        if !is_component && self.random.percent(25) {
            known.extend(self.kustomization(&format!("{folder}/comp"), 0, true));
            text.push_str("components: [comp]\n");
        }
        self.files.push((format!("{folder}/kustomization.yaml"), text));
        known
    }

    fn names(&mut self, text: &mut String) {
        let random = &mut self.random;
        let mut add = |share: usize, random: &mut Random, line: &dyn Fn(&mut Random) -> String| {
            if random.percent(share) {
                text.push_str(&line(random));
                text.push('\n');
            }
        };
        add(30, random, &|random| format!("namePrefix: {}", random.pick(&["p-", "q-"])));
        add(20, random, &|random| format!("nameSuffix: {}", random.pick(&["-s", "-t"])));
        add(25, random, &|random| format!("namespace: {}", random.pick(&["a", "nn"])));
        add(20, random, &|random| format!("commonLabels: {{team: {}}}", random.pick(&["x", "\"1\""])));
        add(30, random, &|random| {
            let options = random.pick(&[
                "includeTemplates: true",
                "includeSelectors: true",
                "includeSelectors: false",
                "fields: [{path: spec/l, create: true, kind: Thing}]",
            ]);
            format!("labels: [{{pairs: {{l: m, app: o}}, {options}}}]")
        });
        add(25, random, &|random| format!("commonAnnotations: {{c: {}}}", random.pick(&["d", "\"2\""])));
        add(30, random, &|random| {
            let change = random.pick(&[
                "newTag: v9",
                "newName: mirror/nginx",
                "digest: \"sha256:cd\"",
                "tagSuffix: -alpine",
                "newName: m/n, newTag: \"8\"",
            ]);
            format!("images: [{{name: nginx, {change}}}]")
        });
    }

    fn generators(&mut self, text: &mut String, folder: &str, known: &[Known]) {
        let random = &mut self.random;
        if random.percent(30) {
            let name = random.pick(NAMES);
            let more = random.pick(&[
                "literals: [a=b]",
                "literals: ['a=\"q\"', c=1]",
                "files: [f.txt, k=f.txt]",
                "envs: [e.env]",
                "literals: [a=b], options: {immutable: true, annotations: {g: h}}",
                "literals: [a=b], options: {disableNameSuffixHash: true}",
            ]);
            let field = random.pick(&["configMapGenerator", "secretGenerator"]);
            let second = if random.percent(30) { ", {name: second, literals: [x=y]}" } else { "" };
            text.push_str(&format!("{field}: [{{name: {name}-g, {more}}}{second}]\n"));
            if more.contains("f.txt") {
                self.files.push((format!("{folder}/f.txt"), "one\n  two\n".to_owned()));
            }
            if more.contains("e.env") {
                self.files.push((format!("{folder}/e.env"), "# c\nA=1\nB=two words\n".to_owned()));
            }
        } else if let Some(config) = known.iter().find(|it| it.kind == "ConfigMap")
            && random.percent(25)
        {
            let behavior = random.pick(&["merge", "merge", "replace", "create"]);
            let name = &config.name;
            text.push_str(&format!(
                "configMapGenerator: [{{name: {name}, behavior: {behavior}, literals: [z=b, a=c]}}]\n"
            ));
        }
        if random.percent(15) {
            let options = random.pick(&[
                "disableNameSuffixHash: true",
                "labels: {gen: y1}",
                "annotations: {gen: a}",
                "immutable: true",
            ]);
            text.push_str(&format!("generatorOptions: {{{options}}}\n"));
        }
    }

    fn patches(&mut self, text: &mut String, folder: &str, known: &[Known]) {
        let mut patches = Vec::new();
        for _ in 0..self.random.below(4) {
            let random = &mut self.random;
            let target = match (known.is_empty(), random.percent(60)) {
                (false, true) => {
                    let one = &known[random.below(known.len())];
                    let by = random.below(3);
                    match by {
                        0 => format!("kind: {}", one.kind),
                        1 => format!("kind: {}, name: \"{}.*\"", one.kind, &one.name[..1]),
                        _ => format!("kind: {}, name: {}", one.kind, one.name),
                    }
                }
                _ => random
                    .pick(&[
                        "kind: Deployment",
                        "kind: .*Set|Deployment",
                        "labelSelector: app=web",
                        "labelSelector: \"app in (web, api),tier!=x\"",
                        "annotationSelector: note",
                        "version: v1, kind: ConfigMap",
                        "group: apps",
                        "name: web|api",
                        "namespace: a",
                    ])
                    .to_owned(),
            };
            let patch = random.pick(&[
                "- {op: add, path: /metadata/annotations, value: {j: k}}",
                "- {op: add, path: /metadata/labels, value: {only: this}}",
                "- {op: replace, path: /metadata/name, value: jn}",
                "- {op: add, path: /metadata/labels, value: {tested: \"1\"}}\n    - {op: test, path: /metadata/labels/tested, value: \"1\"}",
                "- {op: add, path: /x, value: [1, \"2\", 3.0, ~]}",
                "- {op: add, path: /spec, value: {replicas: 3}}\n    - {op: remove, path: /spec/replicas}",
                "- {op: copy, from: /metadata/name, path: /metadata/annotations}",
                "- {op: add, path: /list, value: [{name: added, image: nginx}]}\n    - {op: add, path: /list/-, value: 2}",
                "apiVersion: v1\n    kind: X\n    metadata: {name: any, labels: {sm: p}, annotations: {note: ~}}",
                "apiVersion: apps/v1\n    kind: X\n    metadata: {name: any}\n    spec: {template: {spec: {containers: [{name: c0, env: [{name: B, value: c}]}, {name: new, image: nginx}]}}}",
                "apiVersion: apps/v1\n    kind: X\n    metadata: {name: any}\n    spec: {template: {spec: {containers: [{name: c1, $patch: delete}], volumes: [{$patch: replace}, {name: only, emptyDir: {}}]}}}",
                "apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: renamed}\n    data: {a: ~, new: value}",
                "apiVersion: v1\n    kind: X\n    metadata: {name: x}\n    $patch: delete",
                "apiVersion: v1\n    kind: X\n    metadata: {name: x}\n    spec: {$patch: replace, only: this}",
                "apiVersion: x.io/v1\n    kind: X\n    metadata: {name: x}\n    spec: {list: [{name: b, v: 2}], map: {k: ~}, scalar: patched}",
                "apiVersion: v1\n    kind: Service\n    metadata: {name: x}\n    spec: {ports: [{port: 80, name: http}, {port: 90}]}",
            ]);
            let options = random.pick(&["", "", "", "allowNameChange: true", "allowKindChange: true"]);
            // The hash of a generated object that has become another kind depends on lines of files: see
            // docs/kustomize.md.
            let of_workloads = target.contains("Deployment") || target.contains("apps");
            let options = if options == "allowKindChange: true" && !of_workloads { "" } else { options };
            let options =
                if options.is_empty() { String::new() } else { format!("\n  options: {{{options}}}") };
            if random.percent(20) {
                let file = format!("p{}.yaml", patches.len());
                self.files.push((format!("{folder}/{file}"), patch.replace("\n    ", "\n") + "\n"));
                patches.push(format!("- target: {{{target}}}\n  path: {file}{options}\n"));
            } else {
                patches.push(format!("- target: {{{target}}}{options}\n  patch: |\n    {patch}\n"));
            }
        }
        if let Some(one) = known.iter().find(|it| it.kind == "Deployment")
            && self.random.percent(12)
        {
            let name = &one.name;
            text.push_str(&format!(
                "patchesStrategicMerge:\n- |-\n  apiVersion: apps/v1\n  kind: Deployment\n  metadata: {{name: {name}}}\n  spec: {{replicas: 9}}\n"
            ));
        }
        if let Some(one) = known.iter().find(|it| it.kind == "Service")
            && self.random.percent(12)
        {
            let name = &one.name;
            text.push_str(&format!(
                "patchesJson6902:\n- target: {{version: v1, kind: Service, name: {name}}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/spec/type\", \"value\": \"NodePort\"}}]'\n"
            ));
        }
        if !patches.is_empty() {
            text.push_str(&format!("patches:\n{}", patches.concat()));
        }
    }

    fn replacements(&mut self, text: &mut String, folder: &str, known: &[Known]) {
        let random = &mut self.random;
        if known.is_empty() || !random.percent(30) {
            return;
        }
        let source = &known[random.below(known.len())];
        let source_path = random.pick(&[
            "metadata.name",
            "metadata.name",
            "metadata.name",
            "kind",
            "kind",
            "metadata.labels.app",
        ]);
        let source_options = random.pick(&[
            "",
            ", options: {delimiter: \"-\", index: 0}",
            ", options: {delimiter: e, index: 1}",
        ]);
        let target = random.pick(&[
            "select: {kind: Thing}\n    fieldPaths: [spec.scalar]\n    options: {create: true}",
            "select: {kind: Thing}\n    fieldPaths: ['spec.list.[name=a].v', 'spec.map.[x.y/z]']\n    options: {create: true}",
            "select: {kind: Thing}\n    fieldPaths: [spec.new.deep]\n    options: {create: true}",
            "select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.[name=c0].image']\n    options: {delimiter: ':', index: 0}",
            "select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.*.image']\n    options: {delimiter: ':', index: 1}",
            "select: {kind: Deployment}\n    fieldPaths: ['metadata.annotations.from\\.x']\n    options: {create: true}",
            "select: {kind: Service}\n    reject: [{name: web}]\n    fieldPaths: [spec.selector.app]",
            "select: {kind: Service}\n    fieldPaths: [spec.ports.0.name]\n    options: {create: true}",
            "select: {kind: ConfigMap}\n    fieldPaths: [data.a]\n    options: {create: true}",
            "select: {kind: ConfigMap}\n    fieldPaths: [data.n]\n    options: {delimiter: \",\", index: -1}",
            "select: {namespace: a}\n    fieldPaths: [metadata.labels.app]\n    options: {create: true}",
            "select: {kind: Ingress}\n    fieldPaths: ['spec.rules.*.http.paths.*.backend.service.name']",
        ]);
        let (kind, name) = (source.kind, &source.name);
        let name = if random.percent(95) { format!(", name: {name}") } else { String::new() };
        let one = format!(
            "source: {{kind: {kind}{name}, fieldPath: {source_path}{source_options}}}\n  targets:\n  - {target}\n"
        );
        if random.percent(15) {
            let file = "replacement.yaml";
            self.files.push((format!("{folder}/{file}"), one.replace("\n  ", "\n")));
            text.push_str(&format!("replacements:\n- path: {file}\n"));
        } else {
            text.push_str(&format!("replacements:\n- {one}"));
        }
    }

    fn rest(&mut self, text: &mut String, folder: &str, known: &[Known]) {
        let random = &mut self.random;
        if let Some(workload) = known.iter().find(|it| matches!(it.kind, "Deployment" | "StatefulSet"))
            && random.percent(15)
        {
            text.push_str(&format!("replicas: [{{name: {}, count: 7}}]\n", workload.name));
        }
        if let Some(config) = known.iter().find(|it| it.kind == "ConfigMap")
            && random.percent(20)
        {
            let variable = random.pick(&["VAR", "VAR2"]);
            let path = random.pick(&[
                "",
                ", fieldref: {fieldpath: data.a}",
                ", fieldref: {fieldpath: metadata.namespace}",
            ]);
            let name = &config.name;
            text.push_str(&format!(
                "vars: [{{name: {variable}, objref: {{apiVersion: v1, kind: ConfigMap, name: {name}}}{path}}}]\n"
            ));
        }
        if random.percent(10) {
            text.push_str(&format!("sortOptions: {{order: {}}}\n", random.pick(&["fifo", "legacy"])));
        }
        if random.percent(15) {
            let options = random.pick(&[
                "originAnnotations",
                "transformerAnnotations",
                "originAnnotations, transformerAnnotations",
                "managedByLabel",
            ]);
            text.push_str(&format!("buildMetadata: [{options}]\n"));
        }
        if random.percent(10) {
            let config = random.pick(&[
                "nameReference:\n- kind: ConfigMap\n  fieldSpecs:\n  - {kind: Thing, path: spec/scalar}\n",
                "namePrefix:\n- {path: metadata/labels/app}\n",
                "commonLabels:\n- {path: spec/labels, create: true, kind: Thing}\n",
                "images:\n- {path: spec/scalar, kind: Thing}\n",
                "replicas:\n- {path: spec/scalar, kind: Thing, create: true}\n",
                "varReference:\n- {path: spec/scalar, kind: Thing}\n",
            ]);
            self.files.push((format!("{folder}/config.yaml"), config.to_owned()));
            text.push_str("configurations: [config.yaml]\n");
        }
        if random.percent(10) {
            let (kind, body) = match random.below(5) {
                0 => ("PrefixTransformer", "prefix: t-\nfieldSpecs: [{path: metadata/name}]\n"),
                1 => (
                    "NamespaceTransformer",
                    "metadata: {name: t, namespace: tn}\nunsetOnly: true\nsetRoleBindingSubjects: allServiceAccounts\nfieldSpecs: [{path: metadata/namespace, create: true}]\n",
                ),
                2 => (
                    "LabelTransformer",
                    "labels: {t: l}\nfieldSpecs: [{path: metadata/labels, create: true}]\n",
                ),
                3 => (
                    "AnnotationsTransformer",
                    "annotations: {t: l}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n",
                ),
                _ => ("ImageTagTransformer", "imageTag: {name: nginx, newTag: t}\n"),
            };
            let metadata = if body.contains("metadata: {") { "" } else { "metadata: {name: t}\n" };
            let object = format!("apiVersion: builtin\nkind: {kind}\n{metadata}{body}");
            self.files.push((format!("{folder}/transformer.yaml"), object));
            text.push_str("transformers: [transformer.yaml]\n");
        }
    }
}
