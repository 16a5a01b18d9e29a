//! Running the real Helm.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use windlass_testing::{FileServer, tool};

/// Helm with a home of its own.
pub(crate) struct Helm {
    pub(crate) home: TempDir,
}

impl Helm {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::with_prefix("windlass-helm-").unwrap() }
    }

    pub(crate) fn try_run(&self, arguments: &[&str]) -> Output {
        let home = self.home.path();
        Command::new(tool("helm").unwrap())
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .output()
            .unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Packages a chart into `charts/`, from a folder that is made for it.
    pub(crate) fn package(&self, name: &str, version: &str) -> String {
        let folder = self.home.path().join("src").join(name);
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        let chart_file = format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"1\"\n");
        std::fs::write(folder.join("Chart.yaml"), chart_file).unwrap();
        std::fs::write(folder.join("values.yaml"), "replicas: 1\n").unwrap();
        std::fs::write(folder.join("templates/note.yaml"), format!("# {name} {version}\n")).unwrap();
        std::fs::create_dir_all(self.home.path().join("charts")).unwrap();
        self.run(&["package", folder.to_str().unwrap(), "--destination", "charts"]);
        format!("charts/{name}-{version}.tgz")
    }

    /// Indexes `charts/` and serves all of it.
    pub(crate) fn publish(&self, server: &FileServer, arguments: &[&str]) {
        self.run(&[&["repo", "index", "charts"], arguments].concat());
        for file in std::fs::read_dir(self.home.path().join("charts")).unwrap() {
            let file = file.unwrap();
            server.put(&file.file_name().to_string_lossy(), std::fs::read(file.path()).unwrap());
        }
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.home.path().join(path)).unwrap()
    }
}

/// The versions of the archives in a folder, by Helm's way to name them.
pub(crate) fn pulled(folder: &Path, name: &str) -> Vec<String> {
    let mut versions = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().file_name().to_string_lossy().into_owned();
        let version = file.strip_prefix(&format!("{name}-")).and_then(|rest| rest.strip_suffix(".tgz"));
        versions.extend(version.map(str::to_string));
    }
    versions.sort();
    versions
}
