//! Whether a sender knows the secret.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Provider, Secrets, WebhookError};
use crate::credentials::Secret;

/// Checks the signature or token over the raw body.
pub(super) fn check(
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
) -> Result<(), WebhookError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let signed = |secret: &Secret, signature: Option<&str>| {
        signature.is_some_and(|signature| is_signature::<Hmac<Sha256>>(signature, secret, body))
    };
    let prefixed = |name: &str, prefix: &str| header(name).and_then(|value| value.strip_prefix(prefix));
    let verdict = match provider {
        Provider::GitHub => {
            secrets.github.as_ref().map(|it| signed(it, prefixed("x-hub-signature-256", "sha256=")))
        }
        Provider::GitLab => secrets
            .gitlab
            .as_ref()
            .map(|secret| header("x-gitlab-token").is_some_and(|token| is_equal(token, secret))),
        Provider::Gitea => secrets.gitea.as_ref().map(|secret| {
            let signature =
                ["x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"].into_iter().find_map(header);
            signed(secret, signature)
        }),
        Provider::BitbucketCloud => {
            secrets.bitbucket_cloud.as_ref().map(|secret| match prefixed("x-hub-signature", "sha256=") {
                Some(signature) => signed(secret, Some(signature)),
                None => header("x-hook-uuid").is_some_and(|uuid| is_equal(uuid, secret)),
            })
        }
        Provider::BitbucketServer => {
            secrets.bitbucket_server.as_ref().map(|it| signed(it, prefixed("x-hub-signature", "sha256=")))
        }
        Provider::AzureDevOps => secrets.azure_devops.as_ref().map(|(user, password)| {
            let expected =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.expose()));
            prefixed("authorization", "Basic ").is_some_and(|given| is_equal(given, &Secret::from(expected)))
        }),
        Provider::Generic => secrets.generic.as_ref().map(|secret| {
            match (prefixed("x-signature", "sha256="), prefixed("x-signature", "sha512=")) {
                (Some(signature), _) => signed(secret, Some(signature)),
                (None, Some(signature)) => is_signature::<Hmac<Sha512>>(signature, secret, body),
                (None, None) => false,
            }
        }),
    };
    match verdict {
        Some(true) => Ok(()),
        Some(false) => Err(WebhookError::Unauthenticated { provider }),
        None if secrets.allow_unauthenticated => Ok(()),
        None => Err(WebhookError::NoSecret { provider }),
    }
}

fn is_equal(given: &str, secret: &Secret) -> bool {
    // An empty secret would let in whoever sends an empty token.
    !secret.expose().is_empty() && given.as_bytes().ct_eq(secret.expose().as_bytes()).into()
}

fn is_signature<M: Mac + KeyInit>(hexadecimal: &str, secret: &Secret, body: &[u8]) -> bool {
    if secret.expose().is_empty() || !hexadecimal.len().is_multiple_of(2) || !hexadecimal.is_ascii() {
        return false;
    }
    let signature: Option<Vec<u8>> = (0..hexadecimal.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hexadecimal.get(at..at + 2)?, 16).ok())
        .collect();
    let (Some(signature), Ok(mut mac)) =
        (signature, <M as KeyInit>::new_from_slice(secret.expose().as_bytes()))
    else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}
