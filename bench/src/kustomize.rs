//! Building kustomizations, in process and as a process, against `kustomize build`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use windlass_kustomize::{Cache, Options, Services, build};
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

use crate::figures::{Report, Row, duration, float, repeated};

/// A build of many objects takes kustomize minutes; it is measured once.
const LONG: Duration = Duration::from_secs(5);

/// The sizes that the exponent is fitted to.
const SIZES: [usize; 5] = [250, 500, 1000, 2000, 4000];

/// Files in memory, as a Git tree hands them out.
#[derive(Default)]
struct Files(BTreeMap<String, Arc<[u8]>>);

impl Tree for Files {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let kind = if self.0.contains_key(path) {
            EntryKind::File
        } else if self
            .0
            .range(format!("{path}/")..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(&format!("{path}/")))
        {
            EntryKind::Directory
        } else {
            return Ok(None);
        };
        Ok(Some(Entry { kind, digest: Digest::of_bytes(path.as_bytes()) }))
    }

    fn list(&self, _: &str) -> Result<Option<Vec<(windlass_kube::Str, Entry)>>, TreeError> {
        Ok(None)
    }

    fn read(&self, path: &str, _: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        Ok(self.0.get(path).cloned())
    }
}

/// A set of files and the folder in it that is built.
struct Workload {
    name: String,
    files: Files,
    folders: Vec<String>,
    /// What builds of this workload share, where it has more than one.
    cache: Option<Cache>,
}

/// More than the files of the base and all overlays take.
const CACHE_BYTES: usize = 64 << 20;

impl Workload {
    fn new(name: impl Into<String>, folders: Vec<String>) -> Self {
        let cache = (folders.len() > 1).then(|| Cache::new(CACHE_BYTES));
        Self { name: name.into(), files: Files::default(), folders, cache }
    }

    fn file(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.0.insert(path.into(), text.into().into_bytes().into());
    }

    /// Builds all its folders, one after the other.
    fn build(&self) -> Result<usize> {
        let mut size = 0;
        for folder in &self.folders {
            size += self.build_one(folder)?.len();
        }
        Ok(size)
    }

    fn build_one(&self, folder: &str) -> Result<String> {
        let services = Services { cache: self.cache.as_ref(), ..Services::default() };
        let built = build(&self.files, folder, &Options::default(), services, &[])?;
        Ok(built.resources.to_yaml()?)
    }

    fn write(&self, root: &Path) -> Result<()> {
        for (path, bytes) in &self.files.0 {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().context("every file lies in a folder")?)?;
            std::fs::write(file, bytes)?;
        }
        Ok(())
    }
}

fn deployment(name: &str, config: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels: {{app: {name}}}\nspec:\n  replicas: 2\n  \
         selector:\n    matchLabels: {{app: {name}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      \
         containers:\n      - name: main\n        image: registry.example/{name}:1.0\n        ports: [{{containerPort: 8080}}]\n        \
         envFrom:\n        - configMapRef: {{name: {config}}}\n        resources:\n          requests: {{cpu: 100m, memory: 64Mi}}\n"
    )
}

fn config_map(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: value\n  other: \"1\"\n"
    )
}

fn network_policy(name: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\nspec:\n  podSelector:\n    \
         matchLabels: {{app: {name}}}\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector:\n        \
         matchLabels: {{role: client}}\n    ports: [{{protocol: TCP, port: 8080}}]\n"
    )
}

const OVERLAY: &str = "namespace: production\nnamePrefix: prod-\nlabels:\n- pairs: {team: a}\n  includeSelectors: true\n\
commonAnnotations: {owner: b}\n";

/// A base of four objects and an overlay with a patch and an image.
fn small() -> Workload {
    let mut small = Workload::new("overlay of 4 objects", vec!["overlay".to_owned()]);
    add_base(&mut small);
    add_overlay(&mut small, "overlay", "prod");
    small
}

fn add_base(workload: &mut Workload) {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n  ports: [{port: 80}]\n";
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n  rules:\n  - http:\n      \
                   paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]\n";
    workload.file(
        "base/kustomization.yaml",
        "resources: [deployment.yaml, service.yaml, config.yaml, ingress.yaml]\n",
    );
    workload.file("base/deployment.yaml", deployment("web", "conf"));
    workload.file("base/service.yaml", service);
    workload.file("base/config.yaml", config_map("conf"));
    workload.file("base/ingress.yaml", ingress);
}

fn add_overlay(workload: &mut Workload, folder: &str, namespace: &str) {
    let text = format!(
        "resources: [{}base]\nnamespace: {namespace}\nnamePrefix: p-\nlabels: [{{pairs: {{team: a}}, includeSelectors: true}}]\n\
         images: [{{name: registry.example/web, newTag: \"2.0\"}}]\npatches: [{{path: patch.yaml}}]\n",
        "../".repeat(folder.matches('/').count() + 1)
    );
    workload.file(format!("{folder}/kustomization.yaml"), text);
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 5\n  template:\n    spec:\n      \
                 containers: [{name: main, env: [{name: A, value: b}]}]\n";
    workload.file(format!("{folder}/patch.yaml"), patch);
}

fn policies() -> Workload {
    let mut policies = Workload::new("1,500 NetworkPolicies", vec!["overlay".to_owned()]);
    let texts = (0..1500).map(|number| network_policy(&format!("allow-{number}")));
    policies.file("base/all.yaml", texts.collect::<Vec<_>>().join("---\n"));
    policies.file("base/kustomization.yaml", "resources: [all.yaml]\n");
    policies.file("overlay/kustomization.yaml", format!("resources: [../base]\n{OVERLAY}"));
    policies
}

/// Half Deployments, half the ConfigMaps that they refer to.
fn objects(count: usize) -> Workload {
    let mut objects =
        Workload::new(format!("{count} objects that refer to each other"), vec!["overlay".to_owned()]);
    let texts = (0..count / 2).flat_map(|number| {
        let config = format!("conf-{number}");
        [deployment(&format!("web-{number}"), &config), config_map(&config)]
    });
    objects.file("base/all.yaml", texts.collect::<Vec<_>>().join("---\n"));
    objects.file("base/kustomization.yaml", "resources: [all.yaml]\n");
    objects.file("overlay/kustomization.yaml", format!("resources: [../base]\n{OVERLAY}"));
    objects
}

fn deep() -> Workload {
    let mut deep = Workload::new("12 levels, 20 objects", vec!["level-12".to_owned()]);
    let texts = (0..10).flat_map(|number| {
        let config = format!("conf-{number}");
        [deployment(&format!("web-{number}"), &config), config_map(&config)]
    });
    deep.file("level-0/all.yaml", texts.collect::<Vec<_>>().join("---\n"));
    deep.file("level-0/kustomization.yaml", "resources: [all.yaml]\n");
    for level in 1..=12 {
        let below = level - 1;
        let text = format!(
            "resources: [../level-{below}]\nnamePrefix: l{level}-\nlabels: [{{pairs: {{level-{level}: \"yes\"}}}}]\n\
             commonAnnotations: {{level: \"{level}\"}}\n"
        );
        deep.file(format!("level-{level}/kustomization.yaml"), text);
    }
    deep
}

fn wide() -> Workload {
    let folders = (0..200).map(|number| format!("overlays/{number}")).collect();
    let mut wide = Workload::new("200 overlays of one base", folders);
    add_base(&mut wide);
    for number in 0..200 {
        add_overlay(&mut wide, &format!("overlays/{number}"), &format!("tenant-{number}"));
    }
    wide
}

/// Measures all of them.
pub(crate) fn run(report: &mut Report, windlass: Option<&Path>) -> Result<()> {
    let kustomize = std::env::var_os("KUSTOMIZE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/kustomize"),
        PathBuf::from,
    );
    ensure!(
        kustomize.is_file(),
        "there is no {}; build it with `cargo xtask tools kustomize`",
        kustomize.display()
    );
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for workload in [small(), policies(), objects(4000), deep(), wide()] {
        let folder = tempfile::tempdir()?;
        workload.write(folder.path())?;
        compare(&kustomize, &workload, folder.path())?;
        let theirs = processes(&kustomize, &["build"], &workload, folder.path())?;
        rows.push(Row::time(format!("{}: kustomize build", workload.name), theirs));
        let ours = repeated(LONG, || workload.build().map(drop))?;
        ratios.push(theirs.as_secs_f64() / ours.as_secs_f64());
        let faster = format!("{:.0} times as fast", theirs.as_secs_f64() / ours.as_secs_f64());
        let row = Row::time(format!("{}: in process, warm", workload.name), ours);
        rows.push(row.ratio_to(theirs).note(faster));
        if let Some(windlass) = windlass {
            let cold = processes(windlass, &["render", "kustomize"], &workload, folder.path())?;
            rows.push(
                Row::time(format!("{}: windlass render kustomize", workload.name), cold).ratio_to(theirs),
            );
        }
        if workload.folders.len() > 1 {
            let all = repeated(LONG, || in_parallel(&workload))?;
            let what = format!("{}: in process, on all cores", workload.name);
            rows.push(Row::time(what, all).ratio_to(theirs));
        }
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / float(ratios.len())).exp();
    let figure = format!("{mean:.0} ×");
    rows.push(
        Row::figure("geometric mean, warm in process against the process", mean, figure).target("≥ 30 ×"),
    );
    let (exponent, times) = exponent()?;
    let row =
        Row::figure("exponent of the time over the number of objects", exponent, format!("{exponent:.2}"));
    rows.push(row.target("1").note(times));
    report.add("Kustomizations", rows);
    Ok(())
}

/// Both must print the same, or the times say nothing.
fn compare(kustomize: &Path, workload: &Workload, root: &Path) -> Result<()> {
    let folder = &workload.folders[0];
    let output = Command::new(kustomize).arg("build").arg(root.join(folder)).output()?;
    let ours = workload.build_one(folder)?;
    ensure!(output.stdout == ours.as_bytes(), "{} is not built as kustomize builds it", workload.name);
    Ok(())
}

/// The time that processes take for all folders, one after the other.
fn processes(program: &Path, arguments: &[&str], workload: &Workload, root: &Path) -> Result<Duration> {
    repeated(LONG, || {
        for folder in &workload.folders {
            let mut command = Command::new(program);
            command.args(arguments).arg(root.join(folder)).stdout(Stdio::null()).stderr(Stdio::null());
            let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
            ensure!(status.success(), "{} fails on {}", program.display(), workload.name);
        }
        Ok(())
    })
}

fn in_parallel(workload: &Workload) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let size = workload.folders.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let parts = workload.folders.chunks(size).map(|part| {
            scope.spawn(move || {
                part.iter()
                    .try_for_each(|folder| workload.build_one(folder).map(|text| drop(black_box(text))))
            })
        });
        let parts: Vec<_> = parts.collect();
        for part in parts {
            part.join().map_err(|_| anyhow::anyhow!("a build panicked"))??;
        }
        Ok(())
    })
}

/// The slope of the logarithm of the time over that of the size, and the times.
fn exponent() -> Result<(f64, String)> {
    let mut points = Vec::new();
    let mut shown = Vec::new();
    for size in SIZES {
        let workload = objects(size);
        let time = repeated(LONG, || workload.build().map(drop))?;
        points.push((float(size).ln(), time.as_secs_f64().ln()));
        shown.push(format!("{size}: {}", duration(time)));
    }
    let count = float(points.len());
    let (mean_x, mean_y) = (
        points.iter().map(|point| point.0).sum::<f64>() / count,
        points.iter().map(|point| point.1).sum::<f64>() / count,
    );
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    Ok((covariance / variance, shown.join(", ")))
}
