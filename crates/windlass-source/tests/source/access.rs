//! Credentials, certificates, redirects, policy.

use windlass_source::{
    Access, Authentication, ClientCertificate, Freshness, Limits, Policy, Proxy, SourceError, Tls, chain,
};
use windlass_testing::GitServer;

use crate::proxy::{Answer, Front};
use crate::{Rig, failure, target, text_at, update};

fn basic(username: &str, password: &str) -> Access {
    Access {
        authentication: Authentication::Basic { username: username.into(), password: password.into() },
        credentials_over_http: true,
        ..Access::default()
    }
}

#[test]
fn passwords_and_tokens_let_us_in_and_never_show() {
    let server = GitServer::builder().basic_auth("bob", "s3cret").start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let url = server.url("app");
    let rig = Rig::new();
    assert!(update(&rig.repository(&url, &basic("bob", "s3cret")), "main").is_ok());
    let in_address = Access { credentials_over_http: true, ..Access::default() };
    assert!(update(&rig.repository(&server.url_with_credentials("app"), &in_address), "main").is_ok());
    for (access, message) in [
        (basic("bob", "wr0ng"), format!("{url} did not accept the configured credentials")),
        (Access::default(), format!("{url} requires credentials, and none are configured")),
        (
            Access { credentials_over_http: false, ..basic("bob", "s3cret") },
            format!(
                "refusing to send credentials to {url} in clear text over http; use https, or allow it for this repository"
            ),
        ),
        (basic("bob", "line\nbreak\u{1F511}"), format!("{url} did not accept the configured credentials")),
    ] {
        assert_eq!(failure(&rig.repository(&url, &access), "main"), message);
    }

    let server = GitServer::builder().bearer_token("t0ken").start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let bearer = |token: &str| Access {
        authentication: Authentication::Bearer(token.into()),
        credentials_over_http: true,
        ..Access::default()
    };
    assert!(update(&rig.repository(&server.url("app"), &bearer("t0ken")), "main").is_ok());
    let broken = failure(&rig.repository(&server.url("app"), &bearer("t0\nken")), "main");
    assert!(broken.contains("the token configured for") && !broken.contains("ken\n"), "{broken}");
}

#[test]
fn what_one_may_fetch_another_may_not_see() {
    let server = GitServer::builder().basic_auth("bob", "s3cret").start().unwrap();
    let known = server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let rig = Rig::new();
    update(&rig.repository(&server.url("app"), &basic("bob", "s3cret")), "main").unwrap();
    let stranger = update(&rig.anonymous(&server.url("app")), known.as_str());
    assert!(
        matches!(stranger, Err(SourceError::AuthenticationFailed { anonymous: true, .. })),
        "{stranger:?}"
    );
}

#[test]
fn tls_is_checked_against_the_authority_given() {
    let server = GitServer::builder().client_certificates().start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let url = server.url("app");
    let identity = server.client_identity().unwrap();
    let authorities = server.authority_pem().map(str::to_string);
    let client = Some(ClientCertificate {
        certificate: identity.certificate_pem.clone(),
        key: identity.key_pem.clone().into(),
    });
    let rig = Rig::new();
    let with = |tls: Tls| rig.repository(&url, &Access { tls, ..Access::default() });

    let good =
        with(Tls { authorities: authorities.clone(), client: client.clone(), insecure_skip_verify: false });
    assert_eq!(text_at(&update(&good, "main").unwrap(), "file").as_deref(), Some("content"));
    let blind = with(Tls { authorities: None, client: client.clone(), insecure_skip_verify: true });
    assert!(update(&blind, "main").is_ok());

    let unknown = failure(&with(Tls { authorities: None, client, insecure_skip_verify: false }), "main");
    assert!(unknown.contains("certificate"), "{unknown}");
    // With TLS 1.3 the server hangs up after the handshake; whether its reason arrives first is chance.
    let without = failure(&with(Tls { authorities, client: None, insecure_skip_verify: false }), "main");
    assert!(without.starts_with(&format!("cannot reach {url}: ")), "{without}");
    let nonsense = Tls {
        authorities: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
        ..Tls::default()
    };
    let nonsense = failure(&with(nonsense), "main");
    assert!(nonsense.contains("configured for") && nonsense.contains("cannot be used"), "{nonsense}");
}

#[test]
fn redirects_are_followed_without_credentials_to_others() {
    let server = GitServer::builder().basic_auth("bob", "s3cret").start().unwrap();
    server.repository("renamed").unwrap().write("main", "file", "content").unwrap();
    let rig = Rig::new();

    // To another origin: followed, but nobody's password goes along.
    let away = Front::redirecting_to(&server.url("renamed"));
    let message = failure(&rig.repository(&away.url("old"), &basic("bob", "s3cret")), "main");
    assert!(message.ends_with("did not accept the configured credentials"), "{message}");
    assert!(server.requests().iter().all(|request| !request.authenticated));
    assert!(away.heads().iter().all(|head| head.to_lowercase().contains("authorization: basic")));

    // Within one origin: with credentials.
    let home = Front::forwarding_to(&server.base_url(), &[("/old.git", "/renamed.git")]);
    let repository = rig.repository(&home.url("old"), &basic("bob", "s3cret"));
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("content"));

    for (location, expected) in [
        ("http://127.0.0.1:1/elsewhere", "redirected to something that is no Git repository"),
        ("ftp://127.0.0.1/old.git/info/refs?service=git-upload-pack", "policy does not allow"),
    ] {
        let front = Front::answering(Answer::Redirect(location.into()));
        let message = failure(&rig.anonymous(&front.url("old")), "main");
        assert!(message.contains(expected), "{message}");
    }
    let circle = Front::answering(Answer::Redirect("/old.git/info/refs?service=git-upload-pack".into()));
    let message = failure(&rig.anonymous(&circle.url("old")), "main");
    assert!(message.contains("more than the limit of 5 times"), "{message}");
}

#[test]
fn policy_guards_names_redirects_and_resolved_addresses() {
    let server = GitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let rig = Rig::with(Policy::default(), Limits::default());
    let refused = rig.store.repository(&server.url("app").parse().unwrap(), &Access::default()).unwrap_err();
    assert!(chain(&refused).contains("policy does not allow the host 127.0.0.1"), "{}", chain(&refused));

    // The front is exempt by name and address; what it redirects to is not.
    let front = Front::answering(Answer::Redirect(
        "http://169.254.169.254/app.git/info/refs?service=git-upload-pack".into(),
    ));
    let exempt = Policy { exempt_hosts: vec!["127.0.0.1".into()], ..Policy::default() };
    let rig = Rig::with(exempt, Limits::default());
    let message = failure(&rig.anonymous(&front.url("app")), "main");
    assert!(message.contains("policy does not allow the host 169.254.169.254"), "{message}");
}

#[test]
fn a_proxy_is_used_and_its_exceptions_too() {
    let server = GitServer::start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    // Proxies get the whole address on the request line; forwarding it as it is works with a server like ours.
    let proxy = Front::forwarding_to(&server.base_url(), &[]);
    let rig = Rig::new();
    let through = |no_proxy: &str| Access {
        proxy: Some(Proxy { url: proxy.base_url().into(), no_proxy: no_proxy.into() }),
        ..Access::default()
    };
    let url = "http://git.invalid/app.git";
    let snapshot = rig.repository(url, &through("")).update_one(&target("main"), Freshness::New).unwrap();
    assert_eq!(text_at(&snapshot, "file").as_deref(), Some("content"));
    assert!(proxy.heads().iter().any(|head| head.starts_with("GET http://git.invalid/app.git/info/refs")));
    let message = failure(&rig.repository(url, &through("example.org,.invalid")), "main");
    assert!(message.starts_with("cannot reach http://git.invalid/app.git"), "{message}");

    // To a server behind TLS the proxy is a tunnel; it may want a password of its own.
    let server = GitServer::builder().tls().start().unwrap();
    server.repository("app").unwrap().write("main", "file", "content").unwrap();
    let proxy = windlass_testing::Proxy::start_with_auth("carol", "pr0xy").unwrap();
    let address = server.base_url().replace("https://localhost", "127.0.0.1").parse().unwrap();
    proxy.route("localhost", address);
    let through = |password: &str| Access {
        tls: Tls { authorities: server.authority_pem().map(str::to_string), ..Tls::default() },
        proxy: Some(Proxy {
            url: proxy.url().replace("://", &format!("://carol:{password}@")).into(),
            no_proxy: String::new(),
        }),
        ..Access::default()
    };
    let tunnelled = update(&rig.repository(&server.url("app"), &through("pr0xy")), "main");
    assert!(tunnelled.is_ok(), "{}", chain(&tunnelled.unwrap_err()));
    let port = server.base_url().rsplit_once(':').unwrap().1.to_string();
    assert!(
        proxy.targets().iter().all(|target| *target == format!("localhost:{port}")),
        "{:?}",
        proxy.targets()
    );
    assert!(!proxy.targets().is_empty());
    let message = failure(&rig.repository(&server.url("app"), &through("wr0ng")), "main");
    assert!(message.contains("proxy") && !message.contains("wr0ng"), "{message}");
}
