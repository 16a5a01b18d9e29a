//! Random objects and random filters for them.

use windlass_yaml::{Value, value};

/// A small generator of random numbers (SplitMix64).
pub(crate) struct Random {
    state: u64,
    /// Whether collections may stand in brackets.
    flow: bool,
}

impl Random {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, flow: false }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
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

/// YAML before it is written.
#[derive(Clone)]
enum Tree {
    /// As it stands.
    Text(String),
    Map(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

fn text(written: &str) -> Tree {
    Tree::Text(written.to_owned())
}

fn map<const N: usize>(members: [(&str, Tree); N]) -> Tree {
    Tree::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Tree {
    fn with(mut self, key: &str, value: Tree) -> Self {
        if let Self::Map(members) = &mut self {
            members.push((key.to_owned(), value));
        }
        self
    }

    fn print(&self, random: &mut Random, indent: usize, flow: bool, out: &mut String) {
        match self {
            // Kustomize prints nothing inside of brackets as `''`, and brackets are handed on to what is written
            // over them; nodes here do not keep them.
            Self::Text(text) if text.is_empty() && random.flow => out.push('~'),
            Self::Text(text) if text.contains('\n') => {
                if flow {
                    out.push_str("\"a\\nb\"");
                } else {
                    for (idx, line) in text.lines().enumerate() {
                        if idx > 0 {
                            out.push('\n');
                            out.push_str(&" ".repeat(indent + 2));
                        }
                        out.push_str(line);
                    }
                }
            }
            Self::Text(text) => out.push_str(text),
            Self::Map(members) if members.is_empty() => out.push_str("{}"),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Map(members) => {
                let flow = flow || random.flow && random.percent(8);
                if flow {
                    out.push('{');
                }
                for (idx, (key, value)) in members.iter().enumerate() {
                    if flow && idx > 0 {
                        out.push_str(", ");
                    } else if !flow && (idx > 0 || !out.ends_with("- ")) {
                        out.push('\n');
                        out.push_str(&" ".repeat(indent));
                    }
                    out.push_str(key);
                    out.push_str(": ");
                    value.print(random, indent + 2, flow, out);
                }
                if flow {
                    out.push('}');
                }
            }
            Self::List(items) => {
                let flow = flow || random.flow && random.percent(12);
                if flow {
                    out.push('[');
                }
                for (idx, item) in items.iter().enumerate() {
                    if flow && idx > 0 {
                        out.push_str(", ");
                    } else if !flow {
                        out.push('\n');
                        out.push_str(&" ".repeat(indent));
                        out.push_str("- ");
                    }
                    item.print(random, indent + 2, flow, out);
                }
                if flow {
                    out.push(']');
                }
            }
        }
    }

    fn printed(&self, random: &mut Random) -> String {
        let mut out = String::new();
        if let Self::Map(members) = self {
            for (key, value) in members {
                out.push_str(key);
                out.push_str(": ");
                value.print(random, 2, false, &mut out);
                out.push('\n');
            }
        }
        out
    }
}

const SCALARS: &[&str] = &[
    "a",
    "b",
    "c",
    "\"a\"",
    "'b'",
    "1",
    "2",
    "\"1\"",
    "'2'",
    "true",
    "\"true\"",
    "yes",
    "\"on\"",
    "null",
    "~",
    "\"\"",
    "''",
    "1.5",
    "1e3",
    "0x10",
    "010",
    "1_000",
    "12345678",
    "2001-01-01",
    "\"2001-01-01\"",
    "a b",
    "'a: b'",
    "\"#x\"",
    "|\nx\ny",
    "|-\nx\n y",
    ">\nx\ny",
    "\"tab\\t\"",
    "ü",
    "-1",
    "+1",
    ".5",
    "1.0",
    "$(A)",
    "x$(B)y",
    "nginx:1",
    "\"80\"",
    "80",
    "8080",
    "'8080'",
    "no",
    "0b1",
    "0o7",
    "\"a\\nb\"",
    "123456789012345678901",
    "y",
    "x.y/z",
];
const NAMES: &[&str] = &["a", "b", "c", "\"a\"", "a-b", "x", "default"];
const IMAGES: &[&str] = &[
    "nginx",
    "nginx:1.2",
    "nginx@sha256:abc",
    "nginx:1@sha256:abc",
    "reg:5000/nginx",
    "reg:5000/nginx:2",
    "a/b/nginx",
    "busybox",
    "\"nginx\"",
    "'nginx:1'",
    "5",
    "null",
    "nginx:",
    "ngin.x",
    "$(A)",
    "my/nginx:latest",
    "\"\"",
];

/// A field and how its value is made.
type Field<'f, 'r> = (&'f str, &'f dyn Fn(&mut Maker<'r>) -> Tree);

struct Maker<'a> {
    random: &'a mut Random,
    /// Whether directives, nulls and the like are wanted.
    patch: bool,
}

impl<'r> Maker<'r> {
    fn scalar(&mut self) -> Tree {
        text(self.random.pick(SCALARS))
    }

    fn name(&mut self) -> Tree {
        text(self.random.pick(NAMES))
    }

    fn anything(&mut self, depth: usize) -> Tree {
        match self.random.below(if depth == 0 { 1 } else { 4 }) {
            0 | 1 => self.scalar(),
            2 => {
                let count = self.random.below(4);
                let mut members: Vec<(String, Tree)> = Vec::new();
                for _ in 0..count {
                    let key = self
                        .random
                        .pick(&["a", "b", "c", "name", "\"1\"", "\"on\"", "x.y/z", "kind"])
                        .to_owned();
                    if members.iter().all(|(own, _)| *own != key) {
                        let value = self.anything(depth - 1);
                        members.push((key, value));
                    }
                }
                Tree::Map(members)
            }
            _ => {
                let count = self.random.below(4);
                Tree::List((0..count).map(|_| self.anything(depth - 1)).collect())
            }
        }
    }

    /// A map of some of these fields.
    fn some(&mut self, share: usize, fields: &[Field<'_, 'r>]) -> Tree {
        let mut members = Vec::new();
        for (key, make) in fields {
            if !self.random.percent(share) {
                continue;
            }
            let value = match self.random.below(40) {
                0 => text("null"),
                1 => text(""),
                2 if self.patch => text("null"),
                3 => self.anything(1),
                _ => make(self),
            };
            members.push(((*key).to_owned(), value));
        }
        if self.patch && self.random.percent(5) {
            let directive = self.random.pick(&["delete", "replace", "merge", "replace", "delete", "bogus"]);
            members.push(("$patch".to_owned(), text(directive)));
        }
        if self.random.below(2) == 0 {
            members.reverse();
        }
        Tree::Map(members)
    }

    /// A list of up to three, seldom of what does not belong there.
    fn list(&mut self, make: &dyn Fn(&mut Self) -> Tree) -> Tree {
        let count = self.random.below(4);
        let mut items: Vec<Tree> = Vec::new();
        for _ in 0..count {
            let item = match self.random.below(60) {
                0 => text("null"),
                1 => self.scalar(),
                2 => Tree::Map(Vec::new()),
                _ => make(self),
            };
            items.push(item);
        }
        if self.patch && self.random.percent(8) {
            let directive = self.random.pick(&["delete", "replace", "merge", "replace", "delete", "bogus"]);
            let place = self.random.below(items.len() + 1);
            items.insert(place, map([("$patch", text(directive))]));
        }
        Tree::List(items)
    }

    fn texts(&mut self) -> Tree {
        self.list(&Self::scalar)
    }

    fn labels(&mut self) -> Tree {
        self.some(
            50,
            &[
                ("app", &Self::name),
                ("tier", &Self::scalar),
                ("x.y/z", &Self::name),
                ("\"1\"", &Self::scalar),
                ("env", &Self::scalar),
            ],
        )
    }

    fn selector(&mut self) -> Tree {
        self.some(
            70,
            &[
                ("matchLabels", &Self::labels),
                ("matchExpressions", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            80,
                            &[("key", &Self::name), ("operator", &Self::name), ("values", &Self::texts)],
                        )
                    })
                }),
            ],
        )
    }

    fn metadata(&mut self, name: &str) -> Tree {
        let rest = self.some(
            35,
            &[
                ("namespace", &Self::name),
                ("labels", &Self::labels),
                ("annotations", &Self::labels),
                ("finalizers", &Self::texts),
                ("ownerReferences", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            70,
                            &[
                                ("uid", &Self::name),
                                ("name", &Self::name),
                                ("kind", &|_| text("Deployment")),
                                ("apiVersion", &|_| text("apps/v1")),
                            ],
                        )
                    })
                }),
            ],
        );
        let mut members = vec![("name".to_owned(), text(name))];
        if let Tree::Map(rest) = rest {
            members.extend(rest.into_iter().filter(|(key, _)| key != "$patch"));
        }
        Tree::Map(members)
    }

    fn template_metadata(&mut self) -> Tree {
        self.some(60, &[("labels", &Self::labels), ("annotations", &Self::labels), ("name", &Self::name)])
    }

    fn port(&mut self) -> Tree {
        self.some(
            65,
            &[
                ("containerPort", &|maker| text(maker.random.pick(&["80", "\"80\"", "8080", "443"]))),
                ("protocol", &|maker| text(maker.random.pick(&["TCP", "UDP", "\"TCP\""]))),
                ("name", &Self::name),
                ("hostPort", &Self::scalar),
            ],
        )
    }

    fn environment(&mut self) -> Tree {
        self.some(
            75,
            &[
                ("name", &|maker| text(maker.random.pick(&["A", "B", "C", "\"A\"", "1"]))),
                ("value", &Self::scalar),
                ("valueFrom", &|maker| {
                    maker.some(
                        40,
                        &[("configMapKeyRef", &|maker| {
                            maker.some(70, &[("name", &Self::name), ("key", &Self::name)])
                        })],
                    )
                }),
            ],
        )
    }

    fn container(&mut self) -> Tree {
        self.some(
            45,
            &[
                ("name", &Self::name),
                ("name2", &Self::scalar),
                ("image", &|maker| text(maker.random.pick(IMAGES))),
                ("args", &Self::texts),
                ("command", &Self::texts),
                ("ports", &|maker| maker.list(&Self::port)),
                ("env", &|maker| maker.list(&Self::environment)),
                ("volumeMounts", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            80,
                            &[("mountPath", &Self::name), ("name", &Self::name), ("subPath", &Self::scalar)],
                        )
                    })
                }),
                ("resources", &|maker| maker.anything(2)),
            ],
        )
        .named(self)
    }

    fn pod_spec(&mut self) -> Tree {
        self.some(
            35,
            &[
                ("containers", &|maker| maker.list(&Self::container)),
                ("initContainers", &|maker| maker.list(&Self::container)),
                ("containers2", &|maker| maker.list(&Self::container)),
                ("volumes", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            70,
                            &[
                                ("name", &Self::name),
                                ("configMap", &|maker| {
                                    maker.some(60, &[("name", &Self::name), ("items", &Self::texts)])
                                }),
                                ("emptyDir", &|maker| maker.anything(1)),
                            ],
                        )
                    })
                }),
                ("tolerations", &|maker| {
                    maker.list(&|maker| maker.some(60, &[("key", &Self::name), ("value", &Self::scalar)]))
                }),
                ("imagePullSecrets", &|maker| maker.list(&|maker| maker.some(90, &[("name", &Self::name)]))),
                ("hostAliases", &|maker| {
                    maker.list(&|maker| maker.some(80, &[("ip", &Self::name), ("hostnames", &Self::texts)]))
                }),
                ("topologySpreadConstraints", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            70,
                            &[
                                ("topologyKey", &Self::name),
                                ("whenUnsatisfiable", &Self::name),
                                ("labelSelector", &Self::selector),
                            ],
                        )
                    })
                }),
                ("nodeSelector", &Self::labels),
                ("serviceAccountName", &Self::name),
            ],
        )
    }

    fn template(&mut self) -> Tree {
        self.some(85, &[("metadata", &Self::template_metadata), ("spec", &Self::pod_spec)])
    }

    fn workload(&mut self) -> Tree {
        self.some(
            50,
            &[
                ("replicas", &|maker| text(maker.random.pick(&["1", "\"2\"", "3", "null", "~", "x"]))),
                ("selector", &Self::selector),
                ("template", &Self::template),
                ("strategy", &|maker| maker.anything(2)),
                ("serviceName", &Self::name),
                ("volumeClaimTemplates", &|maker| {
                    maker.list(&|maker| {
                        maker.some(
                            70,
                            &[("metadata", &Self::template_metadata), ("spec", &|maker| maker.anything(1))],
                        )
                    })
                }),
            ],
        )
    }

    fn object(&mut self, kind: &str, name: &str) -> Tree {
        let (version, body) = match kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => ("apps/v1", vec![("spec", self.workload())]),
            "Pod" => ("v1", vec![("spec", self.pod_spec())]),
            "CronJob" => {
                let spec = self.some(
                    80,
                    &[("jobTemplate", &|maker| {
                        maker.some(
                            85,
                            &[
                                ("spec", &|maker| maker.some(85, &[("template", &Self::template)])),
                                ("metadata", &Self::template_metadata),
                            ],
                        )
                    })],
                );
                ("batch/v1", vec![("spec", spec)])
            }
            "Service" => {
                let spec = self.some(
                    70,
                    &[
                        ("selector", &Self::labels),
                        ("ports", &|maker| {
                            maker.list(&|maker| {
                                maker.some(
                                    65,
                                    &[
                                        ("port", &|maker| text(maker.random.pick(&["80", "443", "\"80\""]))),
                                        ("protocol", &|maker| text(maker.random.pick(&["TCP", "UDP"]))),
                                        ("name", &Self::name),
                                        ("targetPort", &Self::scalar),
                                    ],
                                )
                            })
                        }),
                    ],
                );
                ("v1", vec![("spec", spec)])
            }
            "ConfigMap" => ("v1", vec![("data", self.labels()), ("binaryData", self.labels())]),
            "Namespace" => ("v1", vec![("spec", self.anything(2))]),
            "RoleBinding" | "ClusterRoleBinding" => {
                let subjects = self.list(&|maker| {
                    maker.some(
                        70,
                        &[
                            ("kind", &|maker| text(maker.random.pick(&["ServiceAccount", "User", "Group"]))),
                            ("name", &Self::name),
                            ("namespace", &Self::name),
                        ],
                    )
                });
                ("rbac.authorization.k8s.io/v1", vec![("subjects", subjects)])
            }
            "CustomResourceDefinition" => {
                ("apiextensions.k8s.io/v1", vec![("spec", map([("template", self.template())]))])
            }
            "List2" => {
                let items = self.list(&|maker| maker.object("Pod", "inner"));
                ("example.com/v1", vec![("items", items), ("base", self.object("Deployment", "inner"))])
            }
            _ => ("example.com/v1", vec![("spec", self.pod_spec()), ("data", self.anything(3))]),
        };
        let mut tree =
            map([("apiVersion", text(version)), ("kind", text(kind)), ("metadata", self.metadata(name))]);
        for (key, value) in body {
            if self.random.percent(92) {
                tree = tree.with(key, value);
            }
        }
        tree
    }
}

impl Tree {
    /// Containers mostly have names.
    fn named(self, maker: &mut Maker<'_>) -> Self {
        let Self::Map(mut members) = self else { return self };
        if members.iter().all(|(key, _)| key != "name") && maker.random.percent(75) {
            let name = maker.name();
            members.push(("name".to_owned(), name));
        }
        Self::Map(members)
    }
}

const KINDS: &[&str] = &[
    "Deployment",
    "Deployment",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Pod",
    "Pod",
    "CronJob",
    "Service",
    "ConfigMap",
    "Namespace",
    "RoleBinding",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Thing",
    "List2",
];

const SPEC_PATHS: &[&str] = &[
    "metadata/name",
    "metadata/namespace",
    "metadata/labels",
    "metadata/annotations",
    "spec/selector/matchLabels",
    "spec/template/metadata/labels",
    "spec/selector",
    "spec/template/spec/containers/image",
    "spec/template/spec/containers[]/image",
    "spec/replicas",
    "spec/template/spec/containers/env/value",
    "spec/containers[]/args",
    "spec/containers/command",
    "data",
    "data/x.y\\/z",
    "spec/volumeClaimTemplates[]/metadata/labels",
    "spec/new/deep/field",
    "spec/containers",
    "metadata/labels/app",
    "subjects/namespace",
    "subjects",
    "a//b",
    "spec/0/x",
    "spec/template/metadata/annotations",
    "spec/jobTemplate/spec/template/metadata/labels",
];

const FIELD_PATHS: &[&str] = &[
    "metadata.name",
    "metadata.labels.app",
    "metadata.annotations.[x.y/z]",
    "spec.replicas",
    "spec.template.spec.containers",
    "spec.containers.[name=a].image",
    "spec.template.spec.containers.[name=a].image",
    "spec.containers.*.image",
    "spec.template.spec.containers.*.env.[name=A].value",
    "spec.containers.0.image",
    "spec.containers.0.args.1",
    "spec.new",
    "spec.new.deep",
    "data.app",
    "data.x",
    "data.env.b",
    "spec.template.spec.volumes.[name=b].configMap.name",
    "metadata.annotations.env",
    "spec.containers.[image=nginx.*].name",
    "spec.containers.-.name",
    "spec.containers.3.name",
    "metadata.finalizers.[=a]",
    "metadata.finalizers.*",
    "spec.selector",
    "spec.ports.[port=80].name",
    "kind",
    "data.tier.a.b",
    "spec.template.spec.containers.[name=a].ports.[containerPort=80].protocol",
    "metadata.labels.x\\.y/z",
];

fn field_spec(random: &mut Random, create: Option<bool>) -> String {
    let path = random.pick(SPEC_PATHS);
    let create = create.unwrap_or_else(|| random.percent(50));
    let kind = if random.percent(25) { format!(", kind: {}", random.pick(KINDS)) } else { String::new() };
    let group = if random.percent(10) { ", group: apps" } else { "" };
    format!("{{path: {path:?}, create: {create}{kind}{group}}}")
}

fn field_specs(random: &mut Random) -> String {
    let count = 1 + random.below(3);
    let specs: Vec<String> = (0..count).map(|_| field_spec(random, None)).collect();
    specs.join(", ")
}

fn json_value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 9 } else { 12 }) {
        0 => "1".to_owned(),
        1 => "\"1\"".to_owned(),
        2 => "null".to_owned(),
        3 => "true".to_owned(),
        4 => "1.5".to_owned(),
        5 => "1000000".to_owned(),
        6 => "\"yes\"".to_owned(),
        7 => "\"a\\nb\"".to_owned(),
        8 => "\"x <y>\"".to_owned(),
        9 => format!("[{}, {}]", json_value(random, depth - 1), json_value(random, depth - 1)),
        10 => format!("{{\"name\": {}, \"image\": \"nginx\"}}", json_value(random, depth - 1)),
        _ => {
            format!("{{\"a\": {}, \"1\": {}}}", json_value(random, depth - 1), json_value(random, depth - 1))
        }
    }
}

fn json_patch(random: &mut Random) -> String {
    const PATHS: &[&str] = &[
        "/metadata/labels/app",
        "/metadata/labels",
        "/metadata/annotations/x.y~1z",
        "/spec/replicas",
        "/spec/containers/0",
        "/spec/containers/-",
        "/spec/containers/0/image",
        "/spec/template/spec/containers/0/env/-",
        "/spec/new",
        "/spec",
        "/data/app",
        "/metadata/name",
        "/spec/template/spec/containers/1",
        "/spec/containers/-1",
        "/nope/x",
        "/spec/template",
        "/metadata/finalizers/0",
        "/kind",
        "/spec/selector/matchLabels/app",
    ];
    let count = 1 + random.below(3);
    let mut operations = Vec::new();
    for _ in 0..count {
        let path = random.pick(PATHS);
        operations.push(match random.below(7) {
            0 | 1 => format!("{{\"op\": \"add\", \"path\": {path:?}, \"value\": {}}}", json_value(random, 2)),
            2 => format!("{{\"op\": \"remove\", \"path\": {path:?}}}"),
            3 | 4 => {
                format!("{{\"op\": \"replace\", \"path\": {path:?}, \"value\": {}}}", json_value(random, 2))
            }
            5 => format!("{{\"op\": \"copy\", \"from\": {:?}, \"path\": {path:?}}}", random.pick(PATHS)),
            _ => format!("{{\"op\": \"test\", \"path\": {path:?}, \"value\": {}}}", json_value(random, 0)),
        });
    }
    if random.percent(50) {
        format!("[{}]", operations.join(", "))
    } else {
        operations.iter().map(|operation| format!("- {operation}\n")).collect()
    }
}

fn replacements(random: &mut Random, names: &[(&str, &str)]) -> String {
    let options = |random: &mut Random| {
        if !random.percent(40) {
            return String::new();
        }
        let delimiter = if random.percent(60) {
            random.pick(&["delimiter: ':'", "delimiter: '/'", "delimiter: a"])
        } else {
            ""
        };
        let index = if random.percent(50) {
            random.pick(&["index: 1", "index: 0", "index: -1", "index: 5"])
        } else {
            ""
        };
        let create = if random.percent(50) { "create: true" } else { "" };
        let parts: Vec<&str> =
            [delimiter, index, create].into_iter().filter(|part| !part.is_empty()).collect();
        format!(", options: {{{}}}", parts.join(", "))
    };
    let selector = |random: &mut Random| {
        let (kind, name) = names[random.below(names.len())];
        match random.below(5) {
            0 => format!("kind: {kind}"),
            1 => format!("name: {name}"),
            2 => format!("kind: {kind}, name: {name}"),
            3 => format!("kind: '{}.*'", &kind[..2]),
            _ => random
                .pick(&["name: '.*'", "labelSelector: app=a", "annotationSelector: 'env'", "group: apps"])
                .to_owned(),
        }
    };
    let source = if random.percent(30) {
        format!("sourceValue: {}", random.pick(&["x", "'1'", "'true'", "'a:b/c'"]))
    } else {
        let (kind, name) = names[random.below(names.len())];
        format!(
            "source: {{kind: {kind}, name: {name}, fieldPath: {:?}{}}}",
            random.pick(FIELD_PATHS),
            options(random)
        )
    };
    let mut targets = Vec::new();
    for _ in 0..=random.below(2) {
        let count = 1 + random.below(2);
        let paths: Vec<String> = (0..count).map(|_| format!("{:?}", random.pick(FIELD_PATHS))).collect();
        let reject =
            if random.percent(15) { format!(", reject: [{{{}}}]", selector(random)) } else { String::new() };
        let select = selector(random);
        targets.push(format!(
            "{{select: {{{select}}}, fieldPaths: [{}]{reject}{}}}",
            paths.join(", "),
            options(random)
        ));
    }
    format!("[{{{source}, targets: [{}]}}]", targets.join(", "))
}

/// One case.
pub(crate) fn request(random: &mut Random) -> Value {
    random.flow = random.percent(50);
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut objects = Vec::new();
    for name in ["one", "two", "three"].iter().take(1 + random.below(3)) {
        let kind = random.pick(KINDS);
        let object = Maker { random, patch: false }.object(kind, name);
        names.push((kind, name));
        objects.push(object.printed(random));
    }
    let count = 1 + random.below(3);
    let mut steps = Vec::new();
    for _ in 0..count {
        steps.push(step(random, &names));
    }
    value!({"objects": (objects.join("---\n")), "steps": (Value::Array(steps.into()))})
}

fn step(random: &mut Random, names: &[(&str, &str)]) -> Value {
    let object = random.below(names.len());
    let (kind, name) = names[object];
    let all = if random.percent(50) { -1 } else { i64::try_from(object).unwrap() };
    let labels = |random: &mut Random| {
        let pairs: Vec<String> = (0..=random.below(2))
            .map(|_| {
                let key = random.pick(&["app", "tier", "new", "x.y/z", "1"]);
                format!("{key:?}: {:?}", random.pick(&["v", "1", "true", "a b", "", "x: y"]))
            })
            .collect();
        let mut unique: Vec<String> = Vec::new();
        for pair in pairs {
            let key = pair.split(':').next().unwrap().to_owned();
            if unique.iter().all(|other| !other.starts_with(&key)) {
                unique.push(pair);
            }
        }
        let specs = if random.percent(60) {
            "{path: metadata/labels, create: true}, {path: spec/selector/matchLabels, create: true}, \
             {path: spec/template/metadata/labels, create: true}, \
             {path: 'spec/volumeClaimTemplates[]/metadata/labels', create: true}"
                .to_owned()
        } else {
            field_specs(random)
        };
        format!("{{labels: {{{}}}, specs: [{specs}]}}", unique.join(", "))
    };
    let (filter, only, given, arguments): (&str, i64, String, String) = match random.below(20) {
        0..=6 => {
            let patch = Maker { random, patch: true }.object(kind, name).printed(random);
            ("strategic", i64::try_from(object).unwrap(), patch, String::new())
        }
        7..=8 => ("json6902", i64::try_from(object).unwrap(), json_patch(random), String::new()),
        9..=10 => ("labels", all, String::new(), labels(random)),
        11 => ("annotations", all, String::new(), labels(random)),
        12 => {
            let subjects = random.pick(&["", "defaultOnly", "allServiceAccounts", "none"]);
            let unset = random.percent(40);
            let specs = field_specs(random);
            (
                "namespace",
                all,
                "there".to_owned(),
                format!("{{unsetOnly: {unset}, subjects: '{subjects}', specs: [{specs}]}}"),
            )
        }
        13 => ("prefix", all, random.pick(&["p-", "", "1"]).to_owned(), field_spec(random, None)),
        14 => ("suffix", all, random.pick(&["-s", "0"]).to_owned(), field_spec(random, None)),
        15..=16 => {
            let name = random.pick(&["nginx", "reg:5000/nginx", "busybox", "a/b/nginx", "ng.*", "ngin.x"]);
            let changes = random.pick(&[
                "newTag: v2",
                "newName: apache",
                "digest: 'sha256:x'",
                "newName: a, newTag: b",
                "tagSuffix: -x",
                "newTag: '3'",
                "newTag: v2, digest: 'sha256:y'",
                "newName: new.io:80/x, tagSuffix: -y",
                "{}",
            ]);
            let changes = if changes == "{}" { "newName: ''" } else { changes };
            let specs = field_specs(random);
            ("images", all, format!("{{name: '{name}', {changes}}}"), format!("[{specs}]"))
        }
        17 => match random.below(3) {
            0 => ("replicas", all, random.pick(&["5", "0"]).to_owned(), field_spec(random, None)),
            1 => {
                let path = random.pick(SPEC_PATHS);
                let position = random.below(4);
                ("value", all, "V".to_owned(), format!("{{path: {path:?}, position: {position}}}"))
            }
            _ => ("variables", all, "{A: value, B: 5, C: true, D: 1.5}".to_owned(), field_spec(random, None)),
        },
        _ => ("replacement", -1, String::new(), replacements(random, names)),
    };
    value!({"filter": filter, "object": only, "text": (given), "arguments": (arguments)})
}
