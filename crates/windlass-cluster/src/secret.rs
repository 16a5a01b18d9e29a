//! Clusters as Argo CD registers them: a Secret with an address, and how to log in there.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{ExecConfig, ExecInteractiveMode};
use windlass_kube::{Object, Str, Value};

use crate::{ApiError, ClusterClient};

/// The label that says what a Secret of the control plane is for; Argo CD 3.6's `argocd.argoproj.io/secret-type`.
pub const SECRET_TYPE: &str = "argocd.argoproj.io/secret-type";
/// The value of [`SECRET_TYPE`] for clusters.
pub const CLUSTER_SECRET: &str = "cluster";

/// The version in which programs that log in answer, when the Secret names none.
const EXEC_VERSION: &str = "client.authentication.k8s.io/v1beta1";

/// Whether a Secret may say that a program of this machine is run to log in, or a file of it read.
///
/// Who may write Secrets could otherwise run programs as Windlass, or have files of it sent to a server of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalLogins {
    /// It is refused.
    #[default]
    Refused,
    /// It is done.
    Allowed,
}

/// The content of a cluster Secret: `name`, `server`, `project`, `namespaces`, `clusterResources` and the JSON under
/// `config`, as Argo CD 3.6 reads them.
#[derive(Clone, PartialEq)]
pub struct ClusterSecret {
    /// What it is called; its address when it has no name.
    pub name: Str,
    /// Its address.
    pub server: Str,
    /// The project that it belongs to; empty for all.
    pub project: Str,
    /// The only namespaces that are looked at; empty for all.
    pub namespaces: Vec<Str>,
    /// Whether kinds without namespace are looked at all the same when `namespaces` says something.
    pub cluster_resources: bool,
    config: Value,
}

impl std::fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, server, project, namespaces, cluster_resources, config: _ } = self;
        f.debug_struct("ClusterSecret")
            .field("name", name)
            .field("server", server)
            .field("project", project)
            .field("namespaces", namespaces)
            .field("cluster_resources", cluster_resources)
            .finish_non_exhaustive()
    }
}

/// The decoded data of a Secret.
///
/// # Errors
///
/// Which member is not base64.
pub fn secret_data(secret: &Object) -> Result<HashMap<Str, Arc<[u8]>>, String> {
    let data = secret.at(&["data"]).and_then(Value::as_object);
    data.into_iter()
        .flat_map(windlass_kube::Map::iter)
        .map(|(key, value)| {
            let text = value.as_str().unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|_| format!("its {key} is not base64"))?;
            Ok((key.clone(), bytes.into()))
        })
        .collect()
}

impl ClusterSecret {
    /// The cluster that a Secret registers; `None` for other Secrets.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and when its data is not base64.
    pub fn of(secret: &Object) -> Option<Result<Self, String>> {
        let is_cluster = secret.label(SECRET_TYPE) == Some(CLUSTER_SECRET);
        is_cluster.then(|| Self::read(&secret_data(secret)?))
    }

    /// Reads a Secret's decoded data.
    ///
    /// # Errors
    ///
    /// What is missing or cannot be read, in words and without its secrets.
    pub fn read(data: &HashMap<Str, Arc<[u8]>>) -> Result<Self, String> {
        let text = |key: &str| {
            data.get(key).map(|bytes| Str::from(String::from_utf8_lossy(bytes).trim())).unwrap_or_default()
        };
        let server = text("server");
        if server.is_empty() {
            return Err("the cluster Secret has no server".into());
        }
        let config = data.get("config").map_or(Ok(Value::object()), |bytes| {
            serde_json::from_slice(bytes)
                .map_err(|_| "the config of the cluster Secret is no JSON".to_string())
        })?;
        let name = if text("name").is_empty() { server.clone() } else { text("name") };
        let namespaces = text("namespaces");
        let namespaces = namespaces.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self {
            name,
            server,
            project: text("project"),
            namespaces: namespaces.map(Str::from).collect(),
            cluster_resources: text("clusterResources") == "true",
            config,
        })
    }

    /// How Windlass logs in there, in a few words and without secrets.
    #[must_use]
    pub fn login(&self) -> &'static str {
        let has = |path: &[&str]| match self.config.at(path) {
            None | Some(Value::Null) => false,
            Some(value) => value.as_str() != Some(""),
        };
        match () {
            () if has(&["awsAuthConfig"]) => "aws",
            () if has(&["execProviderConfig"]) => "program",
            () if has(&["bearerToken"]) => "token",
            () if has(&["bearerTokenFile"]) => "token file",
            () if has(&["username"]) => "password",
            () if has(&["tlsClientConfig", "certData"]) => "certificate",
            () => "none",
        }
    }

    /// A connection to it; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// What is wrong with the Secret, in words and without its secrets.
    pub fn connect(&self, logins: LocalLogins) -> Result<ClusterClient, String> {
        self.kube_config(logins).and_then(|config| {
            ClusterClient::from_config(config).map_err(|error: ApiError| error.to_string())
        })
    }

    fn kube_config(&self, logins: LocalLogins) -> Result<kube::Config, String> {
        let url = self.server.parse().map_err(|_| format!("{} is no URL of an API server", self.server))?;
        let mut config = kube::Config::new(url);
        let tls = |key: &str| self.config.str_at(&["tlsClientConfig", key]).filter(|text| !text.is_empty());
        config.accept_invalid_certs = self.config.bool_at(&["tlsClientConfig", "insecure"]).unwrap_or(false);
        config.tls_server_name = tls("serverName").map(Into::into);
        if let Some(ca) = tls("caData") {
            let pem = STANDARD.decode(ca);
            let pem = pem.map_err(|_| "tlsClientConfig.caData is not base64".to_string())?;
            let certificates = rustls_pki_types::pem::PemObject::pem_slice_iter(&pem)
                .collect::<Result<Vec<rustls_pki_types::CertificateDer<'static>>, _>>()
                .map_err(|_| "tlsClientConfig.caData holds no PEM certificate".to_string())?;
            config.root_cert = Some(certificates.into_iter().map(|der| der.to_vec()).collect());
        }
        let text = |key: &str| self.config.str_at(&[key]).filter(|text| !text.is_empty());
        if let Some(proxy) = text("proxyUrl") {
            let uri: http::Uri =
                proxy.parse().map_err(|_| "proxyUrl of the cluster Secret is no URL".to_string())?;
            let scheme = uri.scheme_str().unwrap_or_default();
            if !matches!(scheme, "http" | "https" | "socks5") {
                return Err(
                    "proxyUrl of the cluster Secret begins with none of http://, https:// and socks5://"
                        .into(),
                );
            }
            config.proxy_url = Some(uri);
        }
        let auth = &mut config.auth_info;
        auth.client_certificate_data = tls("certData").map(Into::into);
        auth.client_key_data = tls("keyData").map(|key| key.to_string().into());
        auth.token = text("bearerToken").map(|token| token.to_string().into());
        auth.username = text("username").map(Into::into);
        auth.password = text("password").map(|password| password.to_string().into());
        let (program, token_file) = (self.program(), text("bearerTokenFile"));
        if logins == LocalLogins::Refused && (program.is_some() || token_file.is_some()) {
            let what = if program.is_some() {
                "have a program run to log in"
            } else {
                "have a token read from a file"
            };
            return Err(format!("the cluster Secret wants to {what}, which --allow-cluster-programs allows"));
        }
        auth.exec = program;
        auth.token_file = token_file.map(Into::into);
        Ok(config)
    }

    /// The program that logs in: the one that is named, or for `awsAuthConfig` the command line of AWS, which makes
    /// the same tokens as Argo CD's `argocd-k8s-auth aws`.
    fn program(&self) -> Option<ExecConfig> {
        let given = |key: &str| self.config.at(&[key]).filter(|value| value.as_object().is_some());
        if let Some(aws) = given("awsAuthConfig") {
            let text = |key: &str| aws.str_at(&[key]).filter(|text| !text.is_empty());
            let mut arguments = vec!["eks".to_owned(), "get-token".into()];
            for (flag, key) in
                [("--cluster-name", "clusterName"), ("--role-arn", "roleARN"), ("--profile", "profile")]
            {
                if let Some(value) = text(key) {
                    arguments.extend([flag.to_owned(), value.to_owned()]);
                }
            }
            return Some(exec("aws", arguments, Vec::new(), EXEC_VERSION));
        }
        let program = given("execProviderConfig")?;
        let command = program.str_at(&["command"]).unwrap_or_default();
        let arguments = program.items_at(&["args"]).iter().filter_map(Value::as_str).map(str::to_owned);
        let environment = program.at(&["env"]).and_then(Value::as_object);
        let environment = environment.into_iter().flat_map(windlass_kube::Map::iter);
        let environment = environment
            .map(|(name, value)| (name.to_string(), value.as_str().unwrap_or_default().to_owned()));
        let version = program.str_at(&["apiVersion"]).filter(|text| !text.is_empty()).unwrap_or(EXEC_VERSION);
        Some(exec(command, arguments.collect(), environment.collect(), version))
    }
}

fn exec(
    command: &str,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    version: &str,
) -> ExecConfig {
    let variable = |(name, value)| HashMap::from([("name".to_owned(), name), ("value".to_owned(), value)]);
    ExecConfig {
        api_version: Some(version.to_owned()),
        command: Some(command.to_owned()),
        args: Some(arguments),
        env: Some(environment.into_iter().map(variable).collect()),
        interactive_mode: Some(ExecInteractiveMode::Never),
        ..ExecConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(fields: &[(&str, &str)]) -> Result<ClusterSecret, String> {
        ClusterSecret::read(
            &fields.iter().map(|(key, value)| (Str::from(*key), value.as_bytes().into())).collect(),
        )
    }

    fn with_config(config: &str) -> ClusterSecret {
        secret(&[("server", "https://c.example"), ("config", config)]).unwrap()
    }

    #[test]
    fn fields_are_read_as_argo_cd_does() {
        let read = secret(&[
            ("server", "https://c.example\n"),
            ("namespaces", "a, b,"),
            ("clusterResources", "true"),
            ("project", "p"),
        ])
        .unwrap();
        assert_eq!(read.name, "https://c.example");
        assert_eq!(read.namespaces, ["a", "b"]);
        assert!(read.cluster_resources);
        assert_eq!(secret(&[("name", "x")]).unwrap_err(), "the cluster Secret has no server");
        assert!(secret(&[("server", "s"), ("config", "{")]).unwrap_err().contains("no JSON"));
    }

    #[test]
    fn logins_have_names() {
        for (config, name) in [
            ("{}", "none"),
            (r#"{"bearerToken": "t"}"#, "token"),
            (r#"{"bearerToken": "", "tlsClientConfig": {"certData": "x"}}"#, "certificate"),
            (r#"{"username": "u", "password": "p"}"#, "password"),
            (r#"{"awsAuthConfig": {"clusterName": "c"}}"#, "aws"),
            (r#"{"execProviderConfig": {"command": "c"}}"#, "program"),
            (r#"{"bearerTokenFile": "/t"}"#, "token file"),
        ] {
            assert_eq!(with_config(config).login(), name, "{config}");
        }
    }

    #[test]
    fn programs_run_only_where_they_are_allowed() {
        let aws = with_config(r#"{"awsAuthConfig": {"clusterName": "c", "roleARN": "r"}}"#);
        let refused = aws.kube_config(LocalLogins::Refused).unwrap_err();
        assert!(refused.contains("--allow-cluster-programs"), "{refused}");
        let exec = aws.kube_config(LocalLogins::Allowed).unwrap().auth_info.exec.unwrap();
        assert_eq!(exec.command.as_deref(), Some("aws"));
        assert_eq!(exec.args.unwrap(), ["eks", "get-token", "--cluster-name", "c", "--role-arn", "r"]);

        let other = with_config(
            r#"{"execProviderConfig": {"command": "login", "args": ["a"], "env": {"K": "v"}, "apiVersion": "client.authentication.k8s.io/v1"}}"#,
        );
        let exec = other.kube_config(LocalLogins::Allowed).unwrap().auth_info.exec.unwrap();
        assert_eq!(exec.api_version.as_deref(), Some("client.authentication.k8s.io/v1"));
        assert_eq!(exec.env.unwrap()[0]["name"], "K");

        let file = with_config(r#"{"bearerTokenFile": "/var/run/token"}"#);
        assert!(file.kube_config(LocalLogins::Refused).is_err());
        let config = file.kube_config(LocalLogins::Allowed).unwrap();
        assert_eq!(config.auth_info.token_file.as_deref(), Some("/var/run/token"));
    }

    #[test]
    fn proxies_have_known_schemes() {
        let proxied = |url: &str| {
            let config =
                with_config(&format!(r#"{{"proxyUrl": "{url}"}}"#)).kube_config(LocalLogins::Refused);
            config.map(|config| config.proxy_url.unwrap().to_string())
        };
        assert_eq!(proxied("http://proxy.example:3128").as_deref(), Ok("http://proxy.example:3128/"));
        assert!(proxied("ftp://proxy.example").is_err());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", with_config(r#"{"bearerToken": "tops3cret"}"#));
        assert!(!shown.contains("tops3cret"), "{shown}");
    }
}
