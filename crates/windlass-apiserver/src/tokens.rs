//! Bearer tokens and whom they name: those that were made known, and those of service accounts, which are signed.

mod key;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use windlass_kube::{Object, Str, Value, value};

pub(crate) use key::SigningKey;
use key::Unverified;

use crate::api::write::{new_uid, random};
use crate::api::{Api, UserInfo};
use crate::resource::Gvr;

/// Who issues tokens, and the audience of those that name none.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Who issues the tokens in Secrets.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// What is said of tokens that nobody knows.
const INVALID: &str = "invalid bearer token";

/// How far clocks may be apart: go-jose's own.
const LEEWAY: i64 = 60;

/// The type of Secrets that hold a token.
pub(crate) const SECRET_TYPE: &str = "kubernetes.io/service-account-token";

/// The annotations of such a Secret that say whose it is.
pub(crate) const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
pub(crate) const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// The tokens that are accepted.
pub(crate) struct Tokens {
    known: Mutex<HashMap<String, UserInfo>>,
    key: RwLock<Arc<SigningKey>>,
}

/// Whom a token names, and for which of the audiences that were asked for.
#[derive(Debug)]
pub(crate) struct Authenticated {
    pub(crate) user: UserInfo,
    pub(crate) audiences: Vec<Str>,
}

impl Tokens {
    /// Signs with a key that ends with the process, until there is another.
    pub(crate) fn new() -> Result<Self, String> {
        let (key, _) = SigningKey::generate()?;
        Ok(Self { known: Mutex::default(), key: RwLock::new(key) })
    }

    /// Accepts a token as long as the process lives.
    pub(crate) fn accept(&self, token: impl Into<String>, user: UserInfo) {
        self.known.lock().expect("no panic under this lock").insert(token.into(), user);
    }

    /// Signs with that key from now on; what another has signed is refused.
    pub(crate) fn sign_with(&self, key: Arc<SigningKey>) {
        *self.key.write().expect("no panic under this lock") = key;
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> Arc<SigningKey> {
        self.key.read().expect("no panic under this lock").clone()
    }
}

/// What a service account's token is to say.
pub(crate) struct Claims<'a> {
    pub(crate) account: &'a Object,
    /// What it is bound to: the claim, and the object; of a node perhaps only its name is known.
    pub(crate) bound: Vec<(&'static str, Str, Str)>,
    pub(crate) audiences: Vec<Value>,
    /// For how many seconds it is good, and after how many its use is to be warned of.
    pub(crate) seconds: i64,
    pub(crate) warn_after: Option<i64>,
}

impl Tokens {
    /// A token for a service account, and its id.
    pub(crate) fn issue(&self, claims: &Claims<'_>) -> Result<(String, Str), String> {
        let (now, id) = (now(), new_uid());
        let reference = |name: &str, uid: &str| {
            let mut reference = value!({"name": name});
            if !uid.is_empty() {
                reference.set_at(&["uid"], uid);
            }
            reference
        };
        let account = claims.account;
        let mut private = value!({
            "namespace": (account.namespace()), "serviceaccount": (reference(account.name(), account.uid()))
        });
        for (kind, name, uid) in &claims.bound {
            private.set_at(&[kind], reference(name, uid));
        }
        if let Some(seconds) = claims.warn_after {
            private.set_at(&["warnafter"], now + seconds);
        }
        let audiences = claims.audiences.clone();
        let token = self.key().sign(&value!({
            "aud": audiences, "exp": (now + claims.seconds), "iat": now, "nbf": now, "iss": ISSUER,
            "jti": (id.clone()), "sub": (subject(account)), "kubernetes.io": private
        }))?;
        Ok((token, id))
    }

    /// The token that a Secret of a service account holds; it is good as long as both are there.
    pub(crate) fn issue_for_secret(&self, account: &Object, secret: &str) -> Result<String, String> {
        self.key().sign(&value!({
            "iss": LEGACY_ISSUER, "sub": (subject(account)),
            "kubernetes.io/serviceaccount/namespace": (account.namespace()),
            "kubernetes.io/serviceaccount/secret.name": secret,
            "kubernetes.io/serviceaccount/service-account.name": (account.name()),
            "kubernetes.io/serviceaccount/service-account.uid": (account.uid())
        }))
    }
}

fn subject(account: &Object) -> String {
    format!("system:serviceaccount:{}:{}", account.namespace(), account.name())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Api {
    /// Whom a token names, if it is good for one of the audiences; without any, for this API. Otherwise why not.
    pub(crate) fn authenticate(&self, token: &str, audiences: &[Str]) -> Result<Authenticated, String> {
        let implicit = [Str::new(ISSUER)];
        let wanted = if audiences.is_empty() { &implicit[..] } else { audiences };
        // Tokens are long and random, so that the time a look-up takes tells nothing of use.
        let known = self.tokens().known.lock().expect("no panic under this lock").get(token).cloned();
        if let Some(user) = known {
            let audiences: Vec<Str> = wanted.iter().filter(|one| *one == ISSUER).cloned().collect();
            return if audiences.is_empty() {
                Err(INVALID.into())
            } else {
                Ok(Authenticated { user, audiences })
            };
        }
        let unverified = Unverified::parse(token).ok_or(INVALID)?;
        let issuer = unverified.claims.str_at(&["iss"]).unwrap_or_default();
        if issuer != ISSUER && issuer != LEGACY_ISSUER {
            return Err(INVALID.into());
        }
        self.check_signed(token, &unverified, issuer == LEGACY_ISSUER, wanted)
            // Two authenticators have looked at it: this one, and the one of nothing.
            .map_err(|why| format!("[{INVALID}, {why}]"))
    }

    fn check_signed(
        &self,
        token: &str,
        unverified: &Unverified<'_>,
        is_legacy: bool,
        wanted: &[Str],
    ) -> Result<Authenticated, String> {
        self.tokens().key().check(unverified)?;
        let claims = &unverified.claims;
        let of_token: Vec<Str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(_)) => {
                claims.items_at(&["aud"]).iter().filter_map(Value::as_str).map(Str::new).collect()
            }
            _ => Vec::new(),
        };
        let of_token = if of_token.is_empty() { vec![Str::new(ISSUER)] } else { of_token };
        let audiences: Vec<Str> = of_token.iter().filter(|one| wanted.contains(one)).cloned().collect();
        if audiences.is_empty() {
            return Err(format!(
                "token audiences {} is invalid for the target audiences {}",
                quoted(&of_token),
                quoted(wanted)
            ));
        }
        let user = if is_legacy { self.of_secret(token, claims)? } else { self.of_request(claims)? };
        Ok(Authenticated { user, audiences })
    }

    /// Whom a token names that was asked for.
    fn of_request(&self, claims: &Value) -> Result<UserInfo, String> {
        let now = now();
        let time = |name: &str| claims.int_at(&[name]);
        if time("nbf").is_some_and(|begin| now + LEEWAY < begin) {
            return Err("service account token is not valid yet".into());
        }
        if time("exp").is_some_and(|end| now - LEEWAY > end) {
            return Err("service account token has expired".into());
        }
        if time("iat").is_some_and(|made| now + LEEWAY < made) {
            return Err("service account token is issued in the future".into());
        }
        let private = |path: &[&str]| {
            claims.at(&["kubernetes.io"]).and_then(|claims| claims.str_at(path)).unwrap_or_default()
        };
        let (namespace, name) = (private(&["namespace"]), private(&["serviceaccount", "name"]));
        let account = self.account(namespace, name)?;
        let uid = private(&["serviceaccount", "uid"]);
        if account.uid() != uid {
            return Err(format!("service account UID ({}) does not match claim ({uid})", account.uid()));
        }
        if is_gone(&account, now) {
            return Err(format!("service account {namespace}/{name} has been deleted"));
        }
        let mut extra: BTreeMap<Str, Vec<Str>> = BTreeMap::new();
        let mut tell = |key: &str, text: &str| {
            if !text.is_empty() {
                extra.insert(format!("authentication.kubernetes.io/{key}").into(), vec![text.into()]);
            }
        };
        let bound_pod = !private(&["pod", "name"]).is_empty();
        for kind in ["secret", "pod", "node"] {
            let (name, uid) = (private(&[kind, "name"]), private(&[kind, "uid"]));
            if name.is_empty() {
                continue;
            }
            // Of a pod's token the node is told, not asked for.
            if kind != "node" || !bound_pod {
                let namespace = if kind == "node" { "" } else { namespace };
                self.check_bound(kind, namespace, name, uid, now)?;
            }
            if kind != "secret" && !uid.is_empty() {
                tell(&format!("{kind}-name"), name);
                tell(&format!("{kind}-uid"), uid);
            } else if kind == "node" {
                tell("node-name", name);
            }
        }
        if let Some(id) = claims.str_at(&["jti"]).filter(|id| !id.is_empty()) {
            tell("credential-id", &format!("JTI={id}"));
        }
        Ok(UserInfo { extra, ..account_user(&account) })
    }

    /// That what a token is bound to is there as it was.
    fn check_bound(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        uid: &str,
        now: i64,
    ) -> Result<(), String> {
        const INVALIDATED: &str = "service account token has been invalidated";
        let Ok(object) = self.get(&Gvr::new("", "v1", format!("{kind}s")), namespace, name) else {
            return Err(INVALIDATED.into());
        };
        if object.uid() != uid {
            return Err(format!(
                "{kind} UID ({}) does not match service account {kind} ref claim ({uid})",
                object.uid()
            ));
        }
        if is_gone(&object, now) { Err(INVALIDATED.into()) } else { Ok(()) }
    }

    /// Whom the token in a Secret names.
    fn of_secret(&self, token: &str, claims: &Value) -> Result<UserInfo, String> {
        let claim = |name: &str| {
            claims.str_at(&[&format!("kubernetes.io/serviceaccount/{name}")]).unwrap_or_default().to_owned()
        };
        let (namespace, name) = (claim("namespace"), claim("service-account.name"));
        let secret = self.get(&Gvr::new("", "v1", "secrets"), &namespace, &claim("secret.name"));
        let secret =
            secret.ok().filter(|secret| !secret.is_terminating()).ok_or("Token has been invalidated")?;
        let kept = STANDARD.decode(secret.str_at(&["data", "token"])).unwrap_or_default();
        if aws_lc_rs::constant_time::verify_slices_are_equal(&kept, token.as_bytes()).is_err() {
            return Err("Token does not match server's copy".into());
        }
        let account = self.account(&namespace, &name)?;
        if account.is_terminating() {
            return Err(format!("ServiceAccount {namespace}/{name} has been deleted"));
        }
        let uid = claim("service-account.uid");
        if account.uid() != uid {
            return Err(format!("ServiceAccount UID ({}) does not match claim ({uid})", account.uid()));
        }
        Ok(account_user(&account))
    }

    fn account(&self, namespace: &str, name: &str) -> Result<Object, String> {
        self.get(&Gvr::new("", "v1", "serviceaccounts"), namespace, name).map_err(|status| status.message)
    }
}

/// The user that a service account is.
fn account_user(account: &Object) -> UserInfo {
    let namespace = account.namespace();
    UserInfo {
        name: subject(account).into(),
        uid: account.uid().into(),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}").into(),
            "system:authenticated".into(),
        ],
        extra: BTreeMap::new(),
    }
}

/// Whether an object was deleted so long ago that clocks cannot be the reason.
fn is_gone(object: &Object, now: i64) -> bool {
    let deleted = object.at(&["metadata", "deletionTimestamp"]).and_then(Value::as_str);
    deleted
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .is_some_and(|deleted| deleted.as_second() < now - LEEWAY)
}

/// Go's way to print a list of texts.
fn quoted(texts: &[Str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{:?}", text.as_str())).collect();
    format!("[{}]", texts.join(" "))
}

/// A new token that says nothing: 256 random bits.
pub(crate) fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}
