//! `.Capabilities`, as the Go objects that templates see.

use std::any::Any;

use gotemplate::function::Context;
use gotemplate::value::Entries;
use gotemplate::{FunctionError, Kind, List, Map, Methods, Object, Signature, Str, Type, Value, types};

use crate::HelmVersion;
use crate::capabilities::Capabilities;

/// The object behind `.Capabilities`.
pub(super) fn capabilities(capabilities: &Capabilities, helm: HelmVersion) -> Value {
    let types = match helm {
        HelmVersion::V3 => &V3,
        HelmVersion::V4 => &V4,
    };
    let kube = &capabilities.kube_version;
    let text = |text: &str| Value::from(text);
    let mut kube_fields = vec![("Version", text(&kube.version))];
    if helm == HelmVersion::V4 {
        kube_fields.push(("normalizedVersion", text(&kube.normalized)));
    }
    kube_fields.extend([("Major", text(&kube.major)), ("Minor", text(&kube.minor))]);
    let shown = match helm {
        HelmVersion::V3 => &kube.version,
        HelmVersion::V4 => &kube.normalized,
    };
    let kube_version = Value::object(Struct {
        kind: types.kube_version,
        fields: kube_fields,
        text: Some(Str::from(shown.as_str())),
    });
    let versions = capabilities.api_versions.iter().map(|version| Value::from(version.as_str())).collect();
    let mut build = vec![
        ("Version", text(helm.version())),
        ("GitCommit", Value::EMPTY),
        ("GitTreeState", Value::EMPTY),
        ("GoVersion", text(GO_VERSION)),
    ];
    if helm == HelmVersion::V4 {
        build.push(("KubeClientVersion", text("v1.37")));
    }
    let fields = vec![
        ("KubeVersion", kube_version),
        ("APIVersions", Value::List(List::typed(types.api_versions, versions))),
        ("HelmVersion", Value::object(Struct { kind: types.build_info, fields: build, text: None })),
    ];
    Value::object(Struct { kind: types.capabilities, fields, text: None })
}

/// The Go that the Helm versions we compare with were built with.
const GO_VERSION: &str = "go1.26.8";

struct Types {
    capabilities: &'static Type,
    kube_version: &'static Type,
    api_versions: &'static Type,
    build_info: &'static Type,
}

static V3: Types = Types {
    capabilities: &CAPABILITIES_V3,
    kube_version: &KUBE_VERSION_V3,
    api_versions: &API_VERSIONS_V3,
    build_info: &BUILD_INFO,
};
static V4: Types = Types {
    capabilities: &CAPABILITIES_V4,
    kube_version: &KUBE_VERSION_V4,
    api_versions: &API_VERSIONS_V4,
    build_info: &BUILD_INFO,
};

static CAPABILITIES_V3: Type = Type::new("*chartutil.Capabilities", Kind::Ptr);
static CAPABILITIES_V4: Type = Type::new("*common.Capabilities", Kind::Ptr);
static KUBE_VERSION_V3: Type =
    Type::new("chartutil.KubeVersion", Kind::Struct).with_methods(&KubeVersionMethods);
static KUBE_VERSION_V4: Type =
    Type::new("common.KubeVersion", Kind::Struct).with_methods(&KubeVersionMethods);
static API_VERSIONS_V3: Type =
    Type::named("chartutil.VersionSet", &types::STRINGS).with_methods(&VersionSetMethods);
static API_VERSIONS_V4: Type =
    Type::named("common.VersionSet", &types::STRINGS).with_methods(&VersionSetMethods);
static BUILD_INFO: Type = Type::new("version.BuildInfo", Kind::Struct);

/// A struct whose fields are values.
struct Struct {
    kind: &'static Type,
    fields: Vec<(&'static str, Value)>,
    text: Option<Str>,
}

impl Object for Struct {
    fn type_of(&self) -> &'static Type {
        self.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone())
    }

    fn text(&self) -> Option<Str> {
        self.text.clone()
    }

    fn encoded(&self) -> Value {
        let is_build = self.kind == &BUILD_INFO;
        let mut entries = Entries::new();
        for (name, value) in &self.fields {
            // Fields that are not exported are not encoded.
            if name.starts_with(|char: char| char.is_ascii_lowercase()) {
                continue;
            }
            let name = match *name {
                "Version" if is_build => "version",
                "GitCommit" => "git_commit",
                "GitTreeState" => "git_tree_state",
                "GoVersion" => "go_version",
                "KubeClientVersion" => "kube_client_version",
                other => other,
            };
            if is_build && !value.truth() && name != "kube_client_version" {
                continue;
            }
            entries.insert(Str::from_static(name), value.clone());
        }
        Value::Map(Map::typed(&types::MAP, entries))
    }
}

struct KubeVersionMethods;

static NOTHING: Signature = Signature::fixed(&[]);

impl Methods for KubeVersionMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        matches!(name, "GitVersion" | "String").then_some(&NOTHING)
    }

    fn call(
        &self,
        receiver: &Value,
        name: &str,
        _: &mut Context<'_>,
        _: &[Value],
    ) -> Result<Value, FunctionError> {
        let version = receiver.downcast::<Struct>().ok_or("not a version")?;
        Ok(match (name, &version.text) {
            ("String", Some(text)) => Value::String(text.clone()),
            _ => version.field("Version").unwrap_or_default(),
        })
    }
}

struct VersionSetMethods;

static ONE: Signature = Signature::fixed(&[&types::STRING]);

impl Methods for VersionSetMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        (name == "Has").then_some(&ONE)
    }

    fn call(
        &self,
        receiver: &Value,
        _: &str,
        _: &mut Context<'_>,
        arguments: &[Value],
    ) -> Result<Value, FunctionError> {
        let wanted = arguments.first().and_then(Value::as_string);
        let versions = receiver.as_list().map_or(&[][..], List::items);
        Ok(Value::Bool(versions.iter().any(|version| version.as_string() == wanted)))
    }
}
