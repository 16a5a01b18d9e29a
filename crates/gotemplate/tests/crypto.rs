//! Keys, certificates and passwords against Go, in both directions.
//!
//! What Go made (`tests/data/crypto.json`) has to be usable here. What is made here Go finds right:
//! `GOTEMPLATE_CRYPTO_CLAIMS=FILE` writes it for `oracle-sprig check`.

#![cfg(feature = "crypto")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use std::fmt::Write as _;
use std::sync::Arc;

use gotemplate::{
    Context, FunctionError, Functions, Instant, Limits, NoWorld, Number, TemplateSet, Value, World, sprig,
};
use serde_json::{Value as Json, json};

/// A world with a clock that people would accept: certificates of 1970 have long expired.
struct Today(NoWorld);

impl World for Today {
    fn now(&mut self) -> Instant {
        // 21 November 2026.
        Instant { seconds: 1_795_219_200, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.0.random(bytes);
    }
}

/// An execution that functions can be called in.
struct Caller {
    functions: Functions,
    world: Today,
    limits: Limits,
}

impl Caller {
    fn new() -> Self {
        let mut functions = Functions::none();
        sprig::register(&mut functions);
        Self { functions, world: Today(NoWorld::default()), limits: Limits::default() }
    }

    fn try_call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, FunctionError> {
        let set = Arc::new(TemplateSet::new(Functions::none()));
        let mut context = Context::new(set, self.limits, &mut self.world);
        self.functions.get(name).unwrap().call(&mut context, arguments)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Value {
        self.try_call(name, arguments).unwrap()
    }

    fn text(&mut self, name: &str, arguments: &[Value]) -> String {
        self.call(name, arguments).as_string().unwrap().to_string()
    }

    /// A certificate that Go made, as a value.
    fn certificate(&mut self, sample: &Json) -> Value {
        let [cert, key] = ["cert", "key"].map(|part| {
            let part = Value::from(sample[part].as_str().unwrap());
            self.call("b64enc", &[part])
        });
        self.call("buildCustomCert", &[cert, key])
    }
}

fn samples() -> Json {
    serde_json::from_str(include_str!("data/crypto.json")).unwrap()
}

fn part(certificate: &Value, name: &str) -> String {
    let Value::Object(object) = certificate else { panic!("no certificate") };
    object.field(name).unwrap().as_string().unwrap().to_string()
}

#[test]
fn passwords_are_those_of_go() {
    let mut caller = Caller::new();
    let samples = samples();
    let decrypted = [Value::from("secret password"), Value::from(samples["encrypted"].as_str().unwrap())];
    assert_eq!(caller.text("decryptAES", &decrypted), "some plain text");
    for (kind, expected) in samples["derived"].as_object().unwrap() {
        let arguments = [kind.as_str(), "password", "user", "example.com"].map(Value::from);
        let arguments = [&[Value::Number(Number::Uint32(1))], arguments.as_slice()].concat();
        assert_eq!(caller.text("derivePassword", &arguments), expected.as_str().unwrap(), "{kind}");
    }
}

#[test]
fn encrypted_texts_decrypt() {
    let mut caller = Caller::new();
    for plain in ["x", "sixteen bytes ok", "täxt", &"long ".repeat(50)] {
        let encrypted = caller.call("encryptAES", &["key", plain].map(Value::from));
        assert_eq!(caller.text("decryptAES", &[Value::from("key"), encrypted]), plain);
    }
}

#[test]
fn chance_is_recorded() {
    let mut caller = Caller::new();
    for name in ["randAlphaNum", "randBytes", "genPrivateKey", "uuidv4", "now", "bcrypt"] {
        let arguments: &[Value] = match name {
            "randAlphaNum" | "randBytes" => &[Value::Int(8)],
            "genPrivateKey" => &[Value::from("ed25519")],
            "bcrypt" => &[Value::from("x")],
            _ => &[],
        };
        let set = Arc::new(TemplateSet::new(Functions::none()));
        let mut context = Context::new(set, Limits::default(), &mut caller.world);
        caller.functions.get(name).unwrap().call(&mut context, arguments).unwrap();
        assert!(context.asked_world(), "{name}");
    }
}

#[test]
fn keys_in_a_loop_reach_the_limit() {
    let mut caller = Caller::new();
    caller.limits.steps = 10_000;
    let error = caller.try_call("genCA", &[Value::from("x"), Value::Int(1)]).unwrap_err();
    assert_eq!(error.to_string(), "exceeded the limit of 10000 steps");
}

#[test]
fn what_go_made_is_usable_and_what_is_made_here_is_right() {
    let mut caller = Caller::new();
    let samples = samples();
    let mut claims = String::new();
    let mut claim = |claim: Json| writeln!(claims, "{claim}").unwrap();
    let days = Value::Int(365);

    let names = Value::list(vec![Value::from("web.example.com"), Value::from("*.example.org")]);
    let addresses = Value::list(vec![Value::from("10.0.0.1"), Value::from("2001:db8::1")]);
    let hosts = json!(["web.example.com", "x.example.org", "10.0.0.1", "2001:db8::1"]);
    for name in ["authority", "ecdsaAuthority"] {
        let authority = caller.certificate(&samples[name]);
        let arguments =
            [Value::from("wéb"), addresses.clone(), names.clone(), days.clone(), authority.clone()];
        let signed = caller.call("genSignedCert", &arguments);
        claim(json!({"kind": "certificate", "cert": part(&signed, "Cert"), "key": part(&signed, "Key"),
            "authority": part(&authority, "Cert"), "names": hosts}));
    }
    let authority = caller.call("genCA", &[Value::from("here"), days.clone()]);
    claim(json!({"kind": "certificate", "cert": part(&authority, "Cert"), "key": part(&authority, "Key"),
        "authority": part(&authority, "Cert")}));
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = Value::from(samples[kind].as_str().unwrap());
        let arguments = [Value::from(""), addresses.clone(), names.clone(), days.clone()];
        let by_authority = [arguments.as_slice(), &[authority.clone(), key.clone()]].concat();
        let signed = caller.call("genSignedCertWithKey", &by_authority);
        claim(json!({"kind": "certificate", "cert": part(&signed, "Cert"), "key": part(&signed, "Key"),
            "authority": part(&authority, "Cert"), "names": hosts}));
        let alone = caller
            .call("genSelfSignedCertWithKey", &[arguments.as_slice(), std::slice::from_ref(&key)].concat());
        claim(json!({"kind": "certificate", "cert": part(&alone, "Cert"), "key": part(&alone, "Key"),
            "authority": part(&alone, "Cert"), "names": hosts}));
        let own = caller.call("genCAWithKey", &[Value::from("own"), days.clone(), key]);
        claim(json!({"kind": "certificate", "cert": part(&own, "Cert"), "key": part(&own, "Key"),
            "authority": part(&own, "Cert")}));
    }
    for kind in ["ecdsa", "ed25519"] {
        claim(json!({"kind": "key", "key": caller.text("genPrivateKey", &[Value::from(kind)])}));
    }
    let key = Value::from(samples["dsa"].as_str().unwrap());
    let error = caller.try_call("genCAWithKey", &[Value::from("x"), days, key]).unwrap_err();
    assert!(error.to_string().starts_with("error creating certificate: "), "{error}");
    if std::env::var_os("GOTEMPLATE_CRYPTO_CLAIMS").is_some() {
        for kind in ["rsa", "dsa"] {
            let claimed = if kind == "rsa" { "key" } else { "dsa" };
            claim(json!({"kind": claimed, "key": caller.text("genPrivateKey", &[Value::from(kind)])}));
        }
    }
    for password in ["secret", "", "pässword"] {
        let hash = caller.text("bcrypt", &[Value::from(password)]);
        assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
        claim(json!({"kind": "bcrypt", "hash": hash, "password": password}));
        let entry = caller.text("htpasswd", &["user", password].map(Value::from));
        let hash = entry.strip_prefix("user:").unwrap();
        claim(json!({"kind": "bcrypt", "hash": hash, "password": password}));
    }
    let encrypted = caller.text("encryptAES", &["a key", "some text"].map(Value::from));
    claim(json!({"kind": "aes", "hash": encrypted, "password": "a key", "plain": "some text"}));
    if let Some(path) = std::env::var_os("GOTEMPLATE_CRYPTO_CLAIMS") {
        std::fs::write(path, claims).unwrap();
    }
}
