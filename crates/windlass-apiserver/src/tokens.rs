//! Bearer tokens and whom they name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::UserInfo;
use crate::api::write::random;

/// The tokens that are accepted. They are opaque and live as long as the process.
#[derive(Default)]
pub(crate) struct Tokens {
    known: Mutex<HashMap<String, (UserInfo, Option<SystemTime>)>>,
}

impl Tokens {
    /// Accepts a token for good.
    pub(crate) fn accept(&self, token: impl Into<String>, user: UserInfo) {
        self.known.lock().expect("no panic under this lock").insert(token.into(), (user, None));
    }

    /// Makes a token that is accepted until then.
    pub(crate) fn issue(&self, user: UserInfo, until: SystemTime) -> String {
        let token = random_token();
        let mut known = self.known.lock().expect("no panic under this lock");
        let now = SystemTime::now();
        known.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        known.insert(token.clone(), (user, Some(until)));
        token
    }

    /// Whom a token names.
    ///
    /// Tokens are long and random, so that the time a look-up takes tells nothing of use.
    pub(crate) fn user(&self, token: &str) -> Option<UserInfo> {
        let known = self.known.lock().expect("no panic under this lock");
        let (user, until) = known.get(token)?;
        until.is_none_or(|until| until > SystemTime::now()).then(|| user.clone())
    }
}

/// A new token: 256 random bits.
pub(crate) fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}
