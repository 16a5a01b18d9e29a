//! `windlass cluster add` and `set`: a context of a kubeconfig becomes a Secret of the control plane.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use windlass_argo::IN_CLUSTER_SERVER;
use windlass_cluster::{
    ApiError, CLUSTER_SECRET, ClusterClient, ClusterSecret, LocalLogins, Resource, SECRET_TYPE,
};
use windlass_kube::{Object, Value, value};

use super::{find, registered};
use crate::output::{self, Advised};
use crate::session::{Kind, MANAGER, Session, explained};

/// The ServiceAccount that works on a cluster: Argo CD 3.6's name, so that one that is there is used again.
pub(super) const MANAGER_ACCOUNT: &str = "argocd-manager";
/// How long a cluster may take to make the ServiceAccount's token.
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Args)]
pub(super) struct AddOptions {
    /// The context; without it, those there are are listed.
    context_name: Option<String>,
    /// The kubeconfig that has it. Default: as kubectl finds it.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// What it is called; the context's name by default.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The only namespaces to look at.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    namespaces: Vec<String>,
    /// With --namespaces: look at kinds without namespace all the same.
    #[arg(long, requires = "namespaces")]
    cluster_resources: bool,
    /// The project that it belongs to; all by default.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// A label of its Secret, written NAME=VALUE. Repeatable.
    #[arg(short = 'l', long = "label", value_name = "NAME=VALUE", value_parser = crate::app::pair)]
    labels: Vec<(String, String)>,
    /// An annotation of its Secret, written NAME=VALUE. Repeatable.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = crate::app::pair)]
    annotations: Vec<(String, String)>,
    /// A ServiceAccount that is there, in --system-namespace, instead of a new one with all rights.
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// The namespace of the ServiceAccount.
    #[arg(long, default_value = "kube-system", value_name = "NAME")]
    system_namespace: String,
    /// Log in with what the context itself has: its certificate, token or password.
    #[arg(long, conflicts_with_all = ["service_account", "aws_cluster_name", "exec_command"])]
    own_credentials: bool,
    /// Log in to EKS by AWS' own identities: the cluster's name there.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["service_account", "exec_command"])]
    aws_cluster_name: Option<String>,
    /// The role to take in AWS.
    #[arg(long, value_name = "ARN", requires = "aws_cluster_name")]
    aws_role_arn: Option<String>,
    /// The profile of AWS' settings.
    #[arg(long, value_name = "NAME", requires = "aws_cluster_name")]
    aws_profile: Option<String>,
    /// Log in by a program that prints an ExecCredential.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "service_account")]
    exec_command: Option<String>,
    /// An argument of that program. Repeatable.
    #[arg(
        long,
        value_name = "TEXT",
        requires = "exec_command",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    exec_command_args: Vec<String>,
    /// A variable for that program, written NAME=VALUE. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", requires = "exec_command", value_parser = crate::app::pair)]
    exec_command_env: Vec<(String, String)>,
    /// The version in which that program answers.
    #[arg(long, value_name = "VERSION", requires = "exec_command")]
    exec_command_api_version: Option<String>,
    /// The proxy through which it is reached from where Windlass runs.
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
    /// The address by which it is reached from where Windlass runs, when that is not the context's.
    #[arg(long, value_name = "URL", conflicts_with = "in_cluster")]
    server: Option<String>,
    /// It is the cluster that Windlass runs on.
    #[arg(long)]
    in_cluster: bool,
    /// If its address is registered, say this of it instead.
    #[arg(long)]
    upsert: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SetOptions {
    /// The cluster, by name or address.
    cluster: String,
    /// What it is called.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The only namespaces to look at; * for all.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    namespaces: Vec<String>,
    /// The project that it belongs to; * for all.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// A label of its Secret, written NAME=VALUE. Repeatable.
    #[arg(short = 'l', long = "label", value_name = "NAME=VALUE", value_parser = crate::app::pair)]
    labels: Vec<(String, String)>,
    /// An annotation of its Secret, written NAME=VALUE. Repeatable.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = crate::app::pair)]
    annotations: Vec<(String, String)>,
}

pub(super) async fn add(session: &Session, options: &AddOptions) -> Result<ExitCode> {
    let kubeconfig = match &options.from {
        Some(path) => {
            Kubeconfig::read_from(path).with_context(|| format!("{} cannot be read", path.display()))?
        }
        None => Kubeconfig::read().map_err(|error| {
            anyhow::Error::new(error).context(Advised {
                problem: "there is no kubeconfig with contexts to add".into(),
                advice: "name one with --from or KUBECONFIG".into(),
            })
        })?,
    };
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|it| it.name.as_str()).collect();
    let Some(context) = options.context_name.as_deref().filter(|name| names.contains(name)) else {
        let problem = match &options.context_name {
            Some(name) => format!("the kubeconfig has no context {name}"),
            None => "say which context is to be added".to_owned(),
        };
        let advice = match names[..] {
            [] => "the kubeconfig has no contexts".to_owned(),
            _ => format!("those there are: {}", names.join(", ")),
        };
        return Err(Advised::error(problem, advice));
    };
    let asked = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &asked)
        .await
        .with_context(|| format!("context {context} cannot be used"))?;
    let server = match (&options.server, options.in_cluster) {
        (_, true) => IN_CLUSTER_SERVER.to_owned(),
        (Some(server), _) => server.trim_end_matches('/').to_owned(),
        (None, _) => config.cluster_url.to_string().trim_end_matches('/').to_owned(),
    };
    let existing = registered(session).await?.into_iter().find(|it| it.server() == server);
    if let Some(existing) = existing.as_ref().filter(|_| !options.upsert) {
        return Err(Advised::error(
            format!("{server} is registered already, as {}", existing.name()),
            "--upsert says this of it instead; `windlass cluster set` changes single things",
        ));
    }
    let login = login(options, &config, context).await?;
    let secret = secret(session, options, context, &server, &config, login)?;
    // What nobody could use is not stored.
    let is_local = options.aws_cluster_name.is_none() && options.exec_command.is_none();
    if is_local && options.server.is_none() && !options.in_cluster {
        let client = ClusterSecret::of(&secret).unwrap_or_else(|| Err("it is no cluster Secret".into()));
        let client =
            client.and_then(|read| read.connect(LocalLogins::Refused)).map_err(anyhow::Error::msg)?;
        client
            .get_path("/version")
            .await
            .with_context(|| format!("{server} cannot be reached with the new login"))?;
    }
    let kind = Kind::secret();
    let stored = match existing {
        None => session.client.create(&kind.resource, &secret, MANAGER).await,
        Some(existing) => {
            let mut secret = secret;
            secret.set_at(&["metadata", "name"], existing.secret.name());
            session.client.replace(&kind.resource, &secret, MANAGER).await
        }
    };
    stored.map_err(|error| explained(&kind, error, "the cluster's Secret"))?;
    output::note(&format!("Cluster {} added: {server}.", options.name.as_deref().unwrap_or(context)));
    Ok(ExitCode::SUCCESS)
}

/// How Windlass will log in: members of the Secret's `config`.
async fn login(options: &AddOptions, config: &kube::Config, context: &str) -> Result<Value> {
    let mut login = Value::object();
    if let Some(cluster) = &options.aws_cluster_name {
        login.set_at(&["awsAuthConfig", "clusterName"], cluster.as_str());
        for (key, text) in [("roleARN", &options.aws_role_arn), ("profile", &options.aws_profile)] {
            if let Some(text) = text {
                login.set_at(&["awsAuthConfig", key], text.as_str());
            }
        }
    } else if let Some(command) = &options.exec_command {
        login.set_at(&["execProviderConfig", "command"], command.as_str());
        let arguments: Vec<Value> = options.exec_command_args.iter().map(|it| it.as_str().into()).collect();
        login.set_at(&["execProviderConfig", "args"], arguments);
        for (name, text) in &options.exec_command_env {
            login.set_at(&["execProviderConfig", "env", name], text.as_str());
        }
        if let Some(version) = &options.exec_command_api_version {
            login.set_at(&["execProviderConfig", "apiVersion"], version.as_str());
        }
    } else if options.own_credentials {
        own_credentials(config, &mut login)?;
    } else {
        let client = ClusterClient::from_config(config.clone())
            .with_context(|| format!("context {context} cannot be used"))?;
        let token = match &options.service_account {
            Some(account) => token(&client, &options.system_namespace, account).await?,
            None => {
                if !options.yes {
                    confirm(context, &options.namespaces)?;
                }
                make_account(&client, &options.system_namespace, &options.namespaces).await?;
                token(&client, &options.system_namespace, MANAGER_ACCOUNT).await?
            }
        };
        login.set_at(&["bearerToken"], token);
    }
    Ok(login)
}

fn confirm(context: &str, namespaces: &[String]) -> Result<()> {
    let extent = match namespaces {
        [] => "the whole cluster".to_owned(),
        some => format!("the namespaces {}", some.join(", ")),
    };
    let question = format!(
        "Make the ServiceAccount {MANAGER_ACCOUNT} with all rights in {extent} of context {context}?"
    );
    if output::confirmed(&question, "say --yes to make it without a question")? {
        return Ok(());
    }
    bail!("nothing was added")
}

/// What the context itself logs in with, where that can be stored.
fn own_credentials(config: &kube::Config, login: &mut Value) -> Result<()> {
    use kube::config::AuthInfo;
    let AuthInfo { username, password, token, token_file, .. } = &config.auth_info;
    let auth = &config.auth_info;
    let file = |path: &String| std::fs::read(path).with_context(|| format!("{path} cannot be read"));
    let token_in_file = token_file.as_ref().map(file).transpose()?;
    let token = match (token, token_in_file) {
        (Some(token), _) => Some(secrecy_text(token)),
        (None, Some(bytes)) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
        (None, None) => None,
    };
    if let Some(token) = token {
        login.set_at(&["bearerToken"], token);
        return Ok(());
    }
    if let (Some(username), Some(password)) = (username, password) {
        login.set_at(&["username"], username.as_str());
        login.set_at(&["password"], secrecy_text(password));
        return Ok(());
    }
    let certificate = match (&auth.client_certificate_data, &auth.client_certificate) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(path)) => Some(STANDARD.encode(file(path)?)),
        (None, None) => None,
    };
    let key = match (&auth.client_key_data, &auth.client_key) {
        (Some(data), _) => Some(secrecy_text(data)),
        (None, Some(path)) => Some(STANDARD.encode(file(path)?)),
        (None, None) => None,
    };
    if let (Some(certificate), Some(key)) = (certificate, key) {
        login.set_at(&["tlsClientConfig", "certData"], certificate);
        login.set_at(&["tlsClientConfig", "keyData"], key);
        return Ok(());
    }
    Err(Advised::error(
        "the context has neither token, password nor certificate that could be stored",
        "leave --own-credentials out: Windlass then gets a ServiceAccount of its own",
    ))
}

fn secrecy_text(secret: &impl secrecy::ExposeSecret<str>) -> String {
    secret.expose_secret().to_owned()
}

/// The Secret that registers the cluster, as Argo CD 3.6 would have written it.
fn secret(
    session: &Session,
    options: &AddOptions,
    context: &str,
    server: &str,
    config: &kube::Config,
    login: Value,
) -> Result<Object> {
    let mut login = login;
    if server != IN_CLUSTER_SERVER {
        if config.accept_invalid_certs {
            login.set_at(&["tlsClientConfig", "insecure"], true);
        } else {
            login.set_at(&["tlsClientConfig", "insecure"], false);
            if let Some(certificates) = &config.root_cert {
                login.set_at(&["tlsClientConfig", "caData"], STANDARD.encode(pem(certificates)));
            }
        }
        if let Some(name) = &config.tls_server_name {
            login.set_at(&["tlsClientConfig", "serverName"], name.as_str());
        }
    }
    let proxy = options.proxy_url.clone().or_else(|| config.proxy_url.as_ref().map(ToString::to_string));
    if let Some(proxy) = proxy {
        login.set_at(&["proxyUrl"], proxy);
    }
    let mut secret = value!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": (secret_name(server)?), "namespace": (session.namespace.as_str()),
            "annotations": {"managed-by": "argocd.argoproj.io"}
        }
    });
    secret.set_at(&["metadata", "labels", SECRET_TYPE], CLUSTER_SECRET);
    for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        for (name, text) in pairs {
            secret.set_at(&["metadata", field, name], text.as_str());
        }
    }
    let name = options.name.as_deref().unwrap_or(context);
    let mut data = |key: &str, text: &str| secret.set_at(&["data", key], STANDARD.encode(text));
    data("name", name);
    data("server", server);
    data("config", &serde_json::to_string(&login)?);
    if !options.namespaces.is_empty() {
        data("namespaces", &options.namespaces.join(","));
    }
    if options.cluster_resources {
        data("clusterResources", "true");
    }
    if let Some(project) = &options.project {
        data("project", project);
    }
    Ok(Object::try_new(secret)?)
}

fn pem(certificates: &[Vec<u8>]) -> String {
    /// Characters a line, as everybody writes PEM.
    const WIDTH: usize = 64;
    let mut text = String::new();
    for der in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(der).as_bytes().chunks(WIDTH) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The name of a cluster's Secret: Argo CD 3.6's `URIToSecretName`, host and FNV-1a of the address.
fn secret_name(server: &str) -> Result<String> {
    let uri: http::Uri = server.parse().with_context(|| format!("{server} is no URL of an API server"))?;
    let host = uri.host().with_context(|| format!("{server} names no host"))?;
    let host = match host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>() {
        Ok(address) => address.to_string().replace(':', "-"),
        Err(_) => host.to_lowercase(),
    };
    let hash =
        server.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Ok(format!("cluster-{host}-{hash}"))
}

/// Makes the ServiceAccount and gives it all rights, in the cluster or in namespaces.
async fn make_account(client: &ClusterClient, namespace: &str, namespaces: &[String]) -> Result<()> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let role = format!("{MANAGER_ACCOUNT}-role");
    let binding = format!("{MANAGER_ACCOUNT}-role-binding");
    let subject = value!([{"kind": "ServiceAccount", "name": (MANAGER_ACCOUNT), "namespace": (namespace)}]);
    let object = |kind: &str, name: &str, namespace: &str| {
        let mut object =
            value!({"apiVersion": (format!("{RBAC}/v1")), "kind": (kind), "metadata": {"name": (name)}});
        if !namespace.is_empty() {
            object.set_at(&["metadata", "namespace"], namespace);
        }
        object
    };
    let resource =
        |kind: &str, plural: &str, namespaced: bool| Resource::new(RBAC, "v1", kind, plural, namespaced);
    let accounts = Resource::new("", "v1", "ServiceAccount", "serviceaccounts", true);
    let account = value!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": (MANAGER_ACCOUNT), "namespace": (namespace)}
    });
    ensure(client, &accounts, account).await?;
    let mut rules = vec![value!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})];
    if namespaces.is_empty() {
        rules.push(value!({"nonResourceURLs": ["*"], "verbs": ["*"]}));
        let mut cluster_role = object("ClusterRole", &role, "");
        cluster_role.set_at(&["rules"], rules);
        ensure(client, &resource("ClusterRole", "clusterroles", false), cluster_role).await?;
        let mut bound = object("ClusterRoleBinding", &binding, "");
        bound.set_at(&["roleRef"], value!({"apiGroup": (RBAC), "kind": "ClusterRole", "name": (role)}));
        bound.set_at(&["subjects"], subject);
        return ensure(client, &resource("ClusterRoleBinding", "clusterrolebindings", false), bound).await;
    }
    for within in namespaces {
        let mut own = object("Role", &role, within);
        own.set_at(&["rules"], rules.clone());
        ensure(client, &resource("Role", "roles", true), own).await?;
        let mut bound = object("RoleBinding", &binding, within);
        bound.set_at(&["roleRef"], value!({"apiGroup": (RBAC), "kind": "Role", "name": (role.as_str())}));
        bound.set_at(&["subjects"], subject.clone());
        ensure(client, &resource("RoleBinding", "rolebindings", true), bound).await?;
    }
    Ok(())
}

/// Creates an object, or makes the one that is there say the same.
async fn ensure(client: &ClusterClient, resource: &Resource, object: Value) -> Result<()> {
    let object = Object::try_new(object)?;
    let what = format!("{} {}", resource.gvk.kind, object.name());
    let mut done = client.create(resource, &object, MANAGER).await;
    if done.as_ref().is_err_and(ApiError::is_conflict) {
        done = client.replace(resource, &object, MANAGER).await;
    }
    done.map(drop).with_context(|| format!("{what} cannot be made"))
}

/// The token of a ServiceAccount, from a Secret of its own that the cluster fills.
async fn token(client: &ClusterClient, namespace: &str, account: &str) -> Result<String> {
    let secrets = Kind::secret().resource;
    let name = format!("{account}-long-lived-token");
    let secret = value!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": (name.as_str()), "namespace": (namespace),
            "annotations": {"kubernetes.io/service-account.name": (account)}
        }
    });
    match client.create(&secrets, &Object::try_new(secret)?, MANAGER).await {
        Ok(_) => {}
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error).with_context(|| format!("Secret {namespace}/{name} cannot be made")),
    }
    /// Between two looks: the cluster needs some tens of milliseconds.
    const PAUSE: Duration = Duration::from_millis(100);
    let filled = async {
        loop {
            let secret = client.get(&secrets, namespace, &name).await?;
            if let Some(token) = secret.at(&["data", "token"]).and_then(Value::as_str) {
                return Ok::<_, ApiError>(token.to_owned());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let encoded = match tokio::time::timeout(TOKEN_PATIENCE, filled).await {
        Ok(found) => found.with_context(|| format!("Secret {namespace}/{name} cannot be read"))?,
        Err(_) => {
            return Err(Advised::error(
                format!(
                    "the cluster made no token for ServiceAccount {account} within {} seconds",
                    TOKEN_PATIENCE.as_secs()
                ),
                "its controllers do that (`windlass up` has none that does); --own-credentials stores what the context has",
            ));
        }
    };
    let token = STANDARD.decode(encoded).context("the ServiceAccount's token is not base64")?;
    String::from_utf8(token).context("the ServiceAccount's token is no text")
}

pub(super) async fn set(session: &Session, options: &SetOptions) -> Result<ExitCode> {
    let cluster = find(session, &options.cluster).await?;
    let mut patch = Value::object();
    let all = |text: &str| text == "*";
    let mut data = |key: &str, text: Option<String>| {
        patch.set_at(&["data", key], text.map_or(Value::Null, |text| STANDARD.encode(text).into()));
    };
    if let Some(name) = &options.name {
        data("name", Some(name.clone()));
    }
    if !options.namespaces.is_empty() {
        let is_all = options.namespaces.iter().any(|it| all(it));
        data("namespaces", (!is_all).then(|| options.namespaces.join(",")));
    }
    if let Some(project) = &options.project {
        data("project", (!all(project)).then(|| project.clone()));
    }
    for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        for (name, text) in pairs {
            patch.set_at(&["metadata", field, name], text.as_str());
        }
    }
    if patch == Value::object() {
        return Err(Advised::error(
            "nothing is to be changed",
            "say what: --name, --namespaces, --project, --label",
        ));
    }
    session.update_of(&Kind::secret(), cluster.secret.name(), |_| Ok(Some(patch.clone()))).await?;
    output::note(&format!("Cluster {} changed.", cluster.name()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `URIToSecretName` of Argo CD (3.6.0 in development, commit 37ee0097cf85) makes of them.
    #[test]
    fn names_of_secrets_are_argo_cds() {
        for (server, name) in [
            ("https://kubernetes.default.svc", "cluster-kubernetes.default.svc-3396314289"),
            ("https://192.168.99.100:8443", "cluster-192.168.99.100-1703692749"),
            ("https://[fe80::1ff:fe23:4567:890a]:6443", "cluster-fe80--1ff-fe23-4567-890a-1628021743"),
            ("https://[2001:0db8:0000::1]", "cluster-2001-db8--1-411613674"),
            ("https://API.Example.org:6443/k8s/clusters/c-1", "cluster-api.example.org-2199879962"),
        ] {
            assert_eq!(secret_name(server).unwrap(), name);
        }
        assert!(secret_name("/path").is_err());
    }
}
