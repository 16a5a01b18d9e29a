//! Certificate authorities and certificates, as values with the fields `Cert` and `Key`.

use core::net::IpAddr;
use std::any::Any;

use windlass_go::duration::Duration;
use windlass_go::time::Time;

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Kind, Object, Str, Type, Value, types};

use super::super::arguments::{Answer, INT, NIL_DEREFERENCE, STRING, any, int, items, text};
use super::super::display::display;
use super::super::encoding::base64_decoded;
use super::keys::{PrivateKey, RSA_BITS};
use super::pem;
use super::x509::{self, Issuer, Template};

const LIST: &Type = &types::LIST;
const CERTIFICATE: &Type = &CERTIFICATE_TYPE;

/// What the functions return, and `genSignedCert` takes as the authority.
static CERTIFICATE_TYPE: Type = Type::new("sprig.certificate", Kind::Struct);

pub(in super::super) const FUNCTIONS: &[Entry] = &[
    Entry::new("buildCustomCert", Signature::fixed(&[STRING, STRING]), build_custom),
    Entry::new("genCA", Signature::fixed(&[STRING, INT]), |context, arguments| {
        let key = new_key(context)?;
        authority(context, arguments, &key)
    }),
    Entry::new("genCAWithKey", Signature::fixed(&[STRING, INT, STRING]), |context, arguments| {
        let key = given_key(arguments, 2)?;
        authority(context, arguments, &key)
    }),
    Entry::new("genSelfSignedCert", Signature::fixed(&[STRING, LIST, LIST, INT]), |context, arguments| {
        let key = new_key(context)?;
        self_signed(context, arguments, &key)
    }),
    Entry::new(
        "genSelfSignedCertWithKey",
        Signature::fixed(&[STRING, LIST, LIST, INT, STRING]),
        |context, arguments| {
            let key = given_key(arguments, 4)?;
            self_signed(context, arguments, &key)
        },
    ),
    Entry::new(
        "genSignedCert",
        Signature::fixed(&[STRING, LIST, LIST, INT, CERTIFICATE]),
        |context, arguments| {
            let key = new_key(context)?;
            signed(context, arguments, &key)
        },
    ),
    Entry::new(
        "genSignedCertWithKey",
        Signature::fixed(&[STRING, LIST, LIST, INT, CERTIFICATE, STRING]),
        |context, arguments| {
            let key = given_key(arguments, 5)?;
            signed(context, arguments, &key)
        },
    ),
];

/// A certificate and its private key, both as PEM.
struct Certificate {
    certificate: Str,
    key: Str,
}

impl Object for Certificate {
    fn type_of(&self) -> &'static Type {
        CERTIFICATE
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Cert", Value::String(self.certificate.clone())), ("Key", Value::String(self.key.clone()))]
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref()
            .is_some_and(|other: &Self| other.certificate == self.certificate && other.key == self.key)
    }
}

fn new_key(context: &mut Context<'_>) -> Result<PrivateKey, FunctionError> {
    PrivateKey::new_rsa(context, RSA_BITS)
}

fn given_key(arguments: &[Value], at: usize) -> Result<PrivateKey, FunctionError> {
    let pem = text(arguments, at).as_bytes();
    PrivateKey::from_pem(pem).map_err(|error| format!("parsing private key: {error}").into())
}

fn build_custom(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let certificate =
        base64_decoded(text(arguments, 0).as_bytes()).map_err(|_| "unable to decode base64 certificate")?;
    let key =
        base64_decoded(text(arguments, 1).as_bytes()).map_err(|_| "unable to decode base64 private key")?;
    let block = pem::decode(&certificate).ok_or("unable to decode certificate")?;
    if x509::issuer(&block.content).is_none() {
        return Err("error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into());
    }
    PrivateKey::from_pem(&key).map_err(|error| format!("error parsing private key: {error}"))?;
    Ok(Value::object(Certificate { certificate: certificate.into(), key: key.into() }))
}

fn authority(context: &mut Context<'_>, arguments: &[Value], key: &PrivateKey) -> Answer {
    let mut template = template(context, text(arguments, 0), &Value::Nil, &Value::Nil, int(arguments, 1))?;
    template.is_authority = true;
    issued(context, &template, None, key, key)
}

fn self_signed(context: &mut Context<'_>, arguments: &[Value], key: &PrivateKey) -> Answer {
    let template =
        template(context, text(arguments, 0), any(arguments, 1), any(arguments, 2), int(arguments, 3))?;
    issued(context, &template, None, key, key)
}

fn signed(context: &mut Context<'_>, arguments: &[Value], key: &PrivateKey) -> Answer {
    let authority = any(arguments, 4).downcast::<Certificate>().ok_or(NIL_DEREFERENCE)?;
    let block = pem::decode(authority.certificate.as_bytes()).ok_or("unable to decode certificate")?;
    let issuer = x509::issuer(&block.content)
        .ok_or("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate")?;
    let signer = PrivateKey::from_pem(authority.key.as_bytes())
        .map_err(|error| format!("error parsing private key: {error}"))?;
    let template =
        template(context, text(arguments, 0), any(arguments, 1), any(arguments, 2), int(arguments, 3))?;
    issued(context, &template, Some(&issuer), key, &signer)
}

fn issued(
    context: &mut Context<'_>,
    template: &Template<'_>,
    issuer: Option<&Issuer>,
    key: &PrivateKey,
    signer: &PrivateKey,
) -> Answer {
    let failed = |error: String| FunctionError::from(format!("error creating certificate: {error}"));
    let public_key =
        key.public().ok_or_else(|| failed("x509: unsupported public key type: *dsa.PublicKey".into()))?;
    if let Some(issuer) = issuer
        && signer.public().is_some_and(|public| public != issuer.public_key)
    {
        return Err(failed("x509: provided PrivateKey doesn't match parent's PublicKey".into()));
    }
    let certificate = x509::certificate(template, issuer, &public_key, signer, context).map_err(failed)?;
    Ok(Value::object(Certificate {
        certificate: pem::encode("CERTIFICATE", &certificate).into(),
        key: key.to_pem().into(),
    }))
}

fn template<'a>(
    context: &mut Context<'_>,
    common_name: &'a Str,
    addresses: &Value,
    dns_names: &Value,
    days: i64,
) -> Result<Template<'a>, FunctionError> {
    let mut parsed = Vec::new();
    for address in items(addresses).unwrap_or_default().iter() {
        let Some(text) = address.as_string() else {
            return Err(format!("error parsing ip: {} is not a string", display(address)).into());
        };
        let readable = text.lossy();
        parsed.push(readable.parse::<IpAddr>().map_err(|_| format!("error parsing ip: {readable}"))?);
    }
    let mut names = Vec::new();
    for name in items(dns_names).unwrap_or_default().iter() {
        let Some(text) = name.as_string() else {
            return Err(
                format!("error processing alternate dns name: {} is not a string", display(name)).into()
            );
        };
        names.push(text.as_bytes().to_vec());
    }
    let mut serial = [0; 16];
    context.random(&mut serial);
    let now = context.now();
    let not_before = Time::from_unix(now.seconds, now.nanoseconds);
    let valid = Duration::from_nanos(days.wrapping_mul(86_400_000_000_000));
    Ok(Template {
        serial,
        common_name: common_name.as_bytes(),
        dns_names: names,
        addresses: parsed,
        not_after: not_before.add(valid),
        not_before,
        is_authority: false,
    })
}
