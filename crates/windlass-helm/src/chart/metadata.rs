//! `Chart.yaml`, `requirements.yaml` and their locks.

use windlass_go::fmt::is_print;
use windlass_go::semver::Version;
use windlass_yaml::{Map, Str, Value};

use super::decode::{self, DecodeError, Place};
use crate::text::{is_space, quote};

/// What `Chart.yaml` says of a chart. Fields that are absent are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The chart's name.
    pub name: Str,
    /// A page about it.
    pub home: Str,
    /// Where its source is.
    pub sources: Vec<Str>,
    /// Its version.
    pub version: Str,
    /// One sentence about it.
    pub description: Str,
    /// Words to find it by.
    pub keywords: Vec<Str>,
    /// Who keeps it.
    pub maintainers: Vec<Maintainer>,
    /// The address of a picture.
    pub icon: Str,
    /// `v1` or `v2`.
    pub api_version: Str,
    /// Not used by Helm.
    pub condition: Str,
    /// Not used by Helm.
    pub tags: Str,
    /// The version of what it installs.
    pub app_version: Str,
    /// Whether it should no longer be used.
    pub deprecated: bool,
    /// Whatever else; `None` if the field is absent.
    pub annotations: Option<Vec<(Str, Str)>>,
    /// A constraint on the version of Kubernetes.
    pub kube_version: Str,
    /// The charts it needs; an empty list and none differ.
    pub dependencies: Option<Vec<Dependency>>,
    /// `application`, `library` or empty: `type` in the file.
    pub kind: Str,
    /// The list that has a null among its items, which is not allowed.
    null_in: Option<&'static str>,
}

/// Who keeps a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// A name.
    pub name: Str,
    /// An address for mail.
    pub email: Str,
    /// A page.
    pub url: Str,
}

/// A chart that a chart needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// The chart's name.
    pub name: Str,
    /// A constraint on its version.
    pub version: Str,
    /// Where it is found: `https://…`, `oci://…`, `file://…`, `@alias`, `alias:…`.
    pub repository: Str,
    /// Paths of values, separated by commas; the first that is a boolean decides.
    pub condition: Str,
    /// Names below the value `tags`, which decide where no condition does.
    pub tags: Vec<Str>,
    /// What the file says; Helm overwrites it.
    pub enabled: bool,
    /// Values that the parent takes from it.
    pub import_values: Vec<ImportValue>,
    /// The same as they are written, which the digest of a lock is made of.
    pub(crate) written_imports: Vec<Value>,
    /// Another name for it.
    pub alias: Str,
}

/// Values that a parent takes from a child.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportValue {
    /// What the child has below `exports.NAME`, for the parent's root.
    Export(Str),
    /// A table of the child, for a place in the parent.
    Table {
        /// The child's path.
        child: Str,
        /// The parent's path; `.` is the root.
        parent: Str,
    },
    /// Something else, which Helm ignores.
    Other(Value),
}

/// The versions that dependencies were resolved to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// A digest of the dependencies as declared and as locked.
    pub digest: Str,
    /// The dependencies with exact versions.
    pub dependencies: Vec<Dependency>,
}

/// Metadata that no chart may have, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("validation: {0}")]
pub struct InvalidMetadata(String);

impl Metadata {
    /// Reads `Chart.yaml`. What it does not mention stays as it is: `requirements.yaml` is read over it.
    ///
    /// # Errors
    /// A value that does not fit its field.
    pub(crate) fn read(&mut self, value: &Value) -> Result<(), DecodeError> {
        const STRUCT: &str = "Metadata";
        let root = Place::root();
        let Some(map) = decode::object(value, &root, "v2.Metadata")? else { return Ok(()) };
        for (key, value) in map.iter() {
            let Some(field) = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(key)) else { continue };
            let place = root.field(STRUCT, field);
            let text = || decode::string(value, &place);
            // Null leaves a field as it is, except where Go's zero value is nil.
            if value.is_null() {
                match *field {
                    "dependencies" => self.dependencies = None,
                    "annotations" => self.annotations = None,
                    "sources" => self.sources.clear(),
                    "keywords" => self.keywords.clear(),
                    "maintainers" => self.maintainers.clear(),
                    _ => {}
                }
                continue;
            }
            match *field {
                "name" => self.name = text()?,
                "home" => self.home = text()?,
                "sources" => self.sources = decode::strings(value, &place)?,
                "version" => self.version = text()?,
                "description" => self.description = text()?,
                "keywords" => self.keywords = decode::strings(value, &place)?,
                "maintainers" => {
                    self.note_nulls(value, "maintainers");
                    self.maintainers = maintainers(value, &place)?;
                }
                "icon" => self.icon = text()?,
                "apiVersion" => self.api_version = text()?,
                "condition" => self.condition = text()?,
                "tags" => self.tags = text()?,
                "appVersion" => self.app_version = text()?,
                "deprecated" => self.deprecated = decode::boolean(value, &place)?,
                "annotations" => self.annotations = Some(annotations(value, &place)?),
                "kubeVersion" => self.kube_version = text()?,
                "dependencies" => {
                    self.note_nulls(value, "dependencies");
                    self.dependencies = dependencies(value, &place)?;
                }
                _ => self.kind = text()?,
            }
        }
        Ok(())
    }

    fn note_nulls(&mut self, list: &Value, name: &'static str) {
        if list.as_array().is_some_and(|items| items.iter().any(Value::is_null)) {
            self.null_in = self.null_in.or(Some(name));
        }
    }

    /// Refuses what Helm refuses, and cleans texts as Helm does.
    ///
    /// # Errors
    /// What is wrong, in Helm's words.
    pub(crate) fn validate(&mut self) -> Result<(), InvalidMetadata> {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        texts.into_iter().for_each(sanitize);
        self.sources.iter_mut().for_each(sanitize);
        self.keywords.iter_mut().for_each(sanitize);
        let invalid = |problem: String| Err(InvalidMetadata(problem));
        if self.api_version.is_empty() {
            return invalid("chart.metadata.apiVersion is required".into());
        }
        if self.name.is_empty() {
            return invalid("chart.metadata.name is required".into());
        }
        if self.name == "." || self.name == ".." {
            return invalid(format!("chart.metadata.name {} is not allowed", quote(&self.name)));
        }
        if self.name != crate::text::base(&self.name) {
            return invalid(format!("chart.metadata.name {} is invalid", quote(&self.name)));
        }
        if self.version.is_empty() {
            return invalid("chart.metadata.version is required".into());
        }
        if Version::parse(&self.version).is_err() {
            return invalid(format!("chart.metadata.version {} is invalid", quote(&self.version)));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("chart.metadata.type must be application or library".into());
        }
        if let Some(list) = self.null_in {
            return invalid(format!("{list} must not contain empty or null nodes"));
        }
        for maintainer in &mut self.maintainers {
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url].into_iter().for_each(sanitize);
        }
        let mut seen: Vec<Str> = Vec::new();
        for dependency in self.dependencies.iter_mut().flatten() {
            dependency.validate()?;
            let key = if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias };
            if seen.contains(key) {
                return invalid(format!("more than one dependency with name or alias {}", quote(key)));
            }
            seen.push(key.clone());
        }
        Ok(())
    }
}

impl Dependency {
    fn read(map: &Map, place: &Place) -> Result<Self, DecodeError> {
        const STRUCT: &str = "Dependency";
        let mut dependency = Self::default();
        for (key, value) in map.iter() {
            let Some(field) = DEPENDENCY_FIELDS.iter().find(|field| field.eq_ignore_ascii_case(key)) else {
                continue;
            };
            let place = place.field(STRUCT, field);
            let text = || decode::string(value, &place);
            match *field {
                "name" => dependency.name = text()?,
                "version" => dependency.version = text()?,
                "repository" => dependency.repository = text()?,
                "condition" => dependency.condition = text()?,
                "tags" => dependency.tags = decode::strings(value, &place)?,
                "enabled" => dependency.enabled = decode::boolean(value, &place)?,
                "import-values" => {
                    let items = decode::list(value, &place, "[]interface {}")?.unwrap_or_default();
                    dependency.import_values = items.iter().map(ImportValue::read).collect();
                    dependency.written_imports = items.to_vec();
                }
                _ => dependency.alias = text()?,
            }
        }
        Ok(dependency)
    }

    fn validate(&mut self) -> Result<(), InvalidMetadata> {
        let texts = [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition];
        texts.into_iter().for_each(sanitize);
        self.tags.iter_mut().for_each(sanitize);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !self.alias.bytes().all(allowed) {
            let name = quote(&self.name);
            return Err(InvalidMetadata(format!("dependency {name} has disallowed characters in the alias")));
        }
        Ok(())
    }
}

impl ImportValue {
    fn read(value: &Value) -> Self {
        match value {
            Value::String(name) => Self::Export(name.clone()),
            Value::Object(map) => {
                // Helm prints whatever stands there.
                let text = |key: &str| match map.get(key) {
                    None | Some(Value::Null) => Str::from("<nil>"),
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Bool(bool)) => Str::from(bool.to_string()),
                    Some(other) => other.as_float().map(float_v).unwrap_or_default(),
                };
                Self::Table { child: text("child"), parent: text("parent") }
            }
            other => Self::Other(other.clone()),
        }
    }
}

fn float_v(float: f64) -> Str {
    Str::from(crate::text::float_g(float))
}

impl Lock {
    /// Reads `Chart.lock`.
    ///
    /// # Errors
    /// A value that does not fit its field.
    pub(crate) fn read(value: &Value) -> Result<Self, DecodeError> {
        let root = Place::root();
        let mut lock = Self::default();
        let Some(map) = decode::object(value, &root, "v2.Lock")? else { return Ok(lock) };
        for (key, value) in map.iter() {
            if key.eq_ignore_ascii_case("digest") {
                lock.digest = decode::string(value, &root.field("Lock", "digest"))?;
            } else if key.eq_ignore_ascii_case("dependencies") {
                let place = root.field("Lock", "dependencies");
                lock.dependencies = dependencies(value, &place)?.unwrap_or_default();
            }
        }
        Ok(lock)
    }
}

const FIELDS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];

const DEPENDENCY_FIELDS: [&str; 8] =
    ["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];

fn maintainers(value: &Value, place: &Place) -> Result<Vec<Maintainer>, DecodeError> {
    let items = decode::list(value, place, "[]*v2.Maintainer")?.unwrap_or_default();
    let mut maintainers = Vec::with_capacity(items.len());
    for item in items {
        let mut maintainer = Maintainer::default();
        for (key, value) in decode::object(item, place, "v2.Maintainer")?.into_iter().flat_map(Map::iter) {
            let lower = key.to_ascii_lowercase();
            let place = place.field("Maintainer", &lower);
            match lower.as_str() {
                "name" => maintainer.name = decode::string(value, &place)?,
                "email" => maintainer.email = decode::string(value, &place)?,
                "url" => maintainer.url = decode::string(value, &place)?,
                _ => {}
            }
        }
        maintainers.push(maintainer);
    }
    Ok(maintainers)
}

fn dependencies(value: &Value, place: &Place) -> Result<Option<Vec<Dependency>>, DecodeError> {
    let Some(items) = decode::list(value, place, "[]*v2.Dependency")? else { return Ok(None) };
    let mut dependencies = Vec::with_capacity(items.len());
    for item in items {
        let empty = Map::new();
        let map = decode::object(item, place, "v2.Dependency")?.unwrap_or(&empty);
        dependencies.push(Dependency::read(map, place)?);
    }
    Ok(Some(dependencies))
}

fn annotations(value: &Value, place: &Place) -> Result<Vec<(Str, Str)>, DecodeError> {
    let map = decode::object(value, place, "map[string]string")?;
    let entries = map.into_iter().flat_map(Map::iter);
    entries.map(|(key, value)| Ok((key.clone(), decode::string(value, place)?))).collect()
}

/// Turns blanks into spaces and takes out what cannot be printed.
fn sanitize(text: &mut Str) {
    if text.chars().all(|char| char == ' ' || is_print(char)) {
        return;
    }
    let cleaned: String = text
        .chars()
        .filter_map(|char| if is_space(char) { Some(' ') } else { is_print(char).then_some(char) })
        .collect();
    *text = Str::from(cleaned);
}
