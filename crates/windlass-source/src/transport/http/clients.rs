//! HTTP clients: one for all repositories that need the same certificates and proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Client, Url};

use crate::credentials::{Access, Proxy, Timeouts, Tls};
use crate::error::SourceError;
use crate::policy::{Policy, Refused};

/// Clients kept. Each has a pool of connections; most installations need one or two.
const MAX_CLIENTS: usize = 64;

/// HTTP clients by what tells them apart, so that repositories with equal settings share connections.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<Vec<(Settings, Client)>>);

#[derive(Clone, Debug, PartialEq)]
struct Settings {
    tls: Tls,
    proxy: Option<Proxy>,
    timeouts: Timeouts,
}

impl Clients {
    pub(crate) fn get(
        &self,
        repository: &str,
        access: &Access,
        policy: &Arc<Policy>,
    ) -> Result<Client, SourceError> {
        let settings =
            Settings { tls: access.tls.clone(), proxy: access.proxy.clone(), timeouts: access.timeouts };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == settings) {
            return Ok(client.clone());
        }
        let client =
            build_client(&settings, policy).map_err(|(what, source)| SourceError::InvalidAccess {
                repository: repository.to_string(),
                what,
                source: Arc::new(source.without_url()),
            })?;
        if clients.len() >= MAX_CLIENTS {
            clients.remove(0);
        }
        clients.push((settings, client.clone()));
        Ok(client)
    }
}

fn build_client(settings: &Settings, policy: &Arc<Policy>) -> Result<Client, (&'static str, reqwest::Error)> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(settings.timeouts.connect)
        .no_proxy();
    if let Some(pem) = &settings.tls.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| ("certificate authority", error))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(client) = &settings.tls.client {
        let pem = format!("{}\n{}", client.certificate, client.key.expose());
        let identity =
            reqwest::Identity::from_pem(pem.as_bytes()).map_err(|error| ("client certificate", error))?;
        builder = builder.identity(identity);
    }
    if settings.tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    let mut proxy_host = None;
    if let Some(proxy) = &settings.proxy {
        let rule = reqwest::Proxy::all(proxy.url.expose())
            .map_err(|error| ("proxy", error))?
            .no_proxy(reqwest::NoProxy::from_string(&proxy.no_proxy));
        proxy_host = Url::parse(proxy.url.expose()).ok().and_then(|url| url.host_str().map(str::to_string));
        builder = builder.proxy(rule);
    }
    builder
        .dns_resolver(Arc::new(CheckedResolver { policy: policy.clone(), proxy_host }))
        .build()
        .map_err(|error| ("http client", error))
}

/// Resolves names and leaves out the addresses that policy refuses, so that no name can lead inside.
struct CheckedResolver {
    policy: Arc<Policy>,
    /// The proxy is the operator's choice and may be anywhere.
    proxy_host: Option<String>,
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = name.as_str().to_string();
        let policy = self.policy.clone();
        let is_proxy = self.proxy_host.as_deref() == Some(host.as_str());
        Box::pin(async move {
            let resolved: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if is_proxy {
                return Ok(Box::new(resolved.into_iter()) as reqwest::dns::Addrs);
            }
            let allowed = allowed_addresses(&policy, &host, resolved)?;
            Ok(Box::new(allowed.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// The addresses that may be connected to; the refusal of the last one when there are none.
pub(crate) fn allowed_addresses(
    policy: &Policy,
    host: &str,
    resolved: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Refused> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(resolved.len());
    for address in resolved {
        match policy.check_address(host, address.ip()) {
            Ok(()) => allowed.push(address),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        Some(reason) if allowed.is_empty() => Err(reason),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::find_cause;

    #[tokio::test]
    async fn a_name_that_leads_inside_does_not_resolve() {
        let resolve = |policy: Policy, proxy_host: Option<&str>| {
            let resolver =
                CheckedResolver { policy: Arc::new(policy), proxy_host: proxy_host.map(str::to_string) };
            reqwest::dns::Resolve::resolve(&resolver, "localhost".parse().expect("a host name"))
        };
        let refused = resolve(Policy::default(), None).await.err().expect("localhost is this machine");
        assert!(find_cause::<Refused>(&*refused).is_some(), "{refused}");
        let proxied = resolve(Policy::default(), Some("localhost")).await;
        assert!(
            proxied.is_ok_and(|mut addresses| addresses.next().is_some()),
            "the operator's proxy may be inside"
        );
        assert!(resolve(Policy::trusting(), None).await.is_ok());
    }
}
