//! Identities: tokens from files, programs and token servers on real sockets, and where they go.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_source::{
    Access, AmazonLogin, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactRepository, ArtifactStore,
    ArtifactTarget, Authentication, BucketPart, Freshness, GOOGLE_STORAGE_SCOPE, Identity, IdentitySource,
    LayerSelector, Limits, OciReference, Policy, RepositoryStore, TargetRevision, chain,
};
use windlass_testing::{GitServer, OciRegistry, RegistryAuth};

use super::{failure, tgz, update};

/// What a request was.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A server that answers as it is told and remembers what it was asked.
#[derive(Clone)]
struct Loopback {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Loopback {
    /// `answer` gives status, further headers and content.
    fn start(answer: impl Fn(&Asked) -> (u16, String, Vec<u8>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(&stream, &answer, &heard);
            }
        });
        Self { address, asked }
    }

    /// A token server whose tokens are `token-1`, `token-2` and so on, and hold for `seconds`.
    fn of_tokens(seconds: Value) -> Self {
        let n_tokens = Mutex::new(0);
        Self::start(move |_| {
            let mut n_tokens = n_tokens.lock().unwrap();
            *n_tokens += 1;
            let answer = json!({"access_token": format!("token-{n_tokens}"), "expires_in": seconds});
            (200, String::new(), answer.to_string().into_bytes())
        })
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What was shown as authorization, request by request.
    fn shown(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.header("authorization").unwrap_or_default().into()).collect()
    }
}

fn serve(
    mut stream: &TcpStream,
    answer: &impl Fn(&Asked) -> (u16, String, Vec<u8>),
    heard: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_string());
    }
    let mut asked = Asked { line: lines.remove(0), headers: lines, body: String::new() };
    let length = asked.header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8(body).unwrap();
    let (status, headers, content) = answer(&asked);
    heard.lock().unwrap().push(asked);
    let length = content.len();
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n")?;
    stream.write_all(&content)
}

/// A server of one archive.
fn archives() -> Loopback {
    Loopback::start(|_| (200, String::new(), tgz(&[("a.yaml", "a: 1")])))
}

fn access(source: IdentitySource) -> Access {
    Access {
        authentication: Authentication::Identity(Box::new(Identity::new(source))),
        credentials_over_http: true,
        plain_http: true,
        ..Access::default()
    }
}

/// A store whose operator lets credentials use the machine.
struct Open {
    store: ArtifactStore,
    folder: TempDir,
}

impl Open {
    fn new() -> Self {
        Self::with(Policy { local_logins: true, ..Policy::trusting() })
    }

    fn with(policy: Policy) -> Self {
        let folder = TempDir::with_prefix("windlass-identities-").unwrap();
        let path = folder.path().join("store");
        let store = ArtifactStore::open(path, policy, ArtifactLimits::default()).unwrap();
        Self { store, folder }
    }

    fn at(&self, url: &str, kind: ArtifactKind, access: &Access) -> Arc<ArtifactRepository> {
        self.store.repository(&url.parse().unwrap(), kind, access, &ArtifactOptions::default()).unwrap()
    }

    fn archive(&self, server: &Loopback, access: &Access) -> Arc<ArtifactRepository> {
        self.at(&format!("{}/a.tgz", server.address), ArtifactKind::Archive, access)
    }
}

fn archive() -> ArtifactTarget {
    ArtifactTarget::Archive { root: windlass_source::ArchiveRoot::Top, digest: None }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// A service account whose tokens are had at `server`, and its public key.
fn service_account(server: &str) -> (String, Vec<u8>) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let key = json!({
        "type": "service_account",
        "client_email": "reader@project.example.org",
        "private_key_id": "key-7",
        "private_key": pem(der.as_ref()),
        "token_uri": format!("{server}/token"),
    });
    (key.to_string(), pair.public_key().as_ref().to_vec())
}

fn google(key: &str) -> Access {
    access(IdentitySource::GoogleServiceAccount { key: key.into(), scope: GOOGLE_STORAGE_SCOPE.into() })
}

#[test]
fn a_file_is_read_again_when_it_changes() {
    let (open, server) = (Open::new(), archives());
    let path = open.folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let repository = open.archive(&server, &access(IdentitySource::File(path.clone())));
    update(&repository, &archive()).unwrap();
    std::fs::write(&path, "second").unwrap();
    update(&repository, &archive()).unwrap();
    // As long as before, but later.
    std::fs::write(&path, "thirds").unwrap();
    let later = SystemTime::now() + Duration::from_secs(10);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    update(&repository, &archive()).unwrap();
    assert_eq!(server.shown(), ["Bearer first", "Bearer second", "Bearer thirds"]);
}

#[test]
fn a_program_is_run_once_for_what_it_prints_and_sees_little() {
    let (open, server) = (Open::new(), archives());
    let log = open.folder.path().join("runs");
    let run = |printed: &str| {
        let script = format!("env >> {}; echo run >> {}; {printed}", log.display(), log.display());
        access(IdentitySource::Command(vec!["/bin/sh".into(), "-c".into(), script]))
    };
    for (printed, n_runs) in [
        ("echo token", 1),
        (r#"echo '{"token": "token", "expiry": "2999-01-01T00:00:00Z"}'"#, 1),
        // It ends at once, so each request has its own.
        (r#"echo '{"token": "token", "expiry": "2001-01-01T00:00:00Z"}'"#, 2),
    ] {
        let repository = open.archive(&server, &run(printed));
        for _ in 0..2 {
            update(&repository, &archive()).unwrap();
        }
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().filter(|line| *line == "run").count(), n_runs, "{printed}");
        assert!(!text.contains("CARGO"), "{text}");
        std::fs::remove_file(&log).unwrap();
    }
    assert!(server.shown().iter().all(|shown| shown == "Bearer token"));
}

#[test]
fn what_is_wrong_on_this_machine_is_told_without_secrets() {
    let (open, server) = (Open::new(), archives());
    let path = open.folder.path().join("token");
    std::fs::write(&path, "s3cret s3cret").unwrap();
    let shell = |script: &str| IdentitySource::Command(vec!["/bin/sh".into(), "-c".into(), script.into()]);
    for (source, expected) in [
        (IdentitySource::File(path), "is no token"),
        (IdentitySource::File(open.folder.path().join("absent")), "no such file"),
        (IdentitySource::File("/dev/zero".into()), "no such file"),
        (shell("echo s3cret; echo s3cret >&2; exit 3"), "exit status: 3"),
        (shell("echo '{\"password\": \"s3cret\"}'"), "has no token"),
        (shell("echo '{\"token\": \"s3cret\", \"expiry\": \"s3cret\"}'"), "no time"),
        (shell("yes s3cret"), "MAX_TOKEN_BYTES"),
        (IdentitySource::Command(vec!["/absent".into()]), "cannot be run"),
        (IdentitySource::Command(Vec::new()), "names no program"),
    ] {
        let said = failure(&open.archive(&server, &access(source)), &archive());
        assert!(said.contains(expected) && !said.contains("s3cret"), "{said}");
    }
    assert!(server.asked().is_empty());
}

#[test]
fn the_machine_is_used_only_where_the_operator_allows_it() {
    let (closed, server) = (Open::with(Policy::trusting()), archives());
    let path = closed.folder.path().join("token");
    std::fs::write(&path, "token").unwrap();
    let address = server.address.clone();
    for source in [
        IdentitySource::File(path),
        IdentitySource::Command(vec!["/bin/echo".into(), "token".into()]),
        IdentitySource::GoogleMachine { address: address.clone() },
        IdentitySource::AzureMachine { address, client_id: String::new(), scope: "s".into() },
    ] {
        let repository = closed.archive(&server, &access(source));
        let error = repository.update_one(&archive(), Freshness::New).unwrap_err();
        assert_eq!(error.reason(), "InvalidCredentials");
        assert!(chain(&error).contains("--allow-cluster-programs"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[test]
fn a_service_account_signs_for_its_token_and_clones_share_it() {
    let tokens = Loopback::of_tokens(json!(3600));
    let (key, public) = service_account(&tokens.address);
    let (open, server, other) = (Open::new(), archives(), archives());
    let access = google(&key);
    for server in [&server, &other] {
        let repository = open.archive(server, &access);
        for _ in 0..2 {
            update(&repository, &archive()).unwrap();
        }
        assert_eq!(server.shown(), ["Bearer token-1", "Bearer token-1"]);
    }
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].line.starts_with("POST /token "), "{}", asked[0].line);
    let form = asked[0]
        .body
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    let (said, signature) = form.unwrap().rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(said.as_bytes(), &signature).unwrap();
    let parts: Vec<Value> = said
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "key-7"}));
    let claims = &parts[1];
    assert_eq!(claims["iss"], "reader@project.example.org");
    assert_eq!(claims["scope"], GOOGLE_STORAGE_SCOPE);
    assert_eq!(claims["aud"], format!("{}/token", tokens.address));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
}

#[test]
fn tokens_are_renewed_before_they_end_and_when_they_are_refused() {
    // A minute before the end is at once.
    let tokens = Loopback::of_tokens(json!(59));
    let (open, server) = (Open::new(), archives());
    let repository = open.archive(&server, &google(&service_account(&tokens.address).0));
    for _ in 0..2 {
        update(&repository, &archive()).unwrap();
    }
    assert_eq!(server.shown(), ["Bearer token-1", "Bearer token-2"]);
    let tokens = Loopback::of_tokens(json!(3600));
    let picky = Loopback::start(|asked| match asked.header("authorization") {
        Some("Bearer token-1") => (401, String::new(), Vec::new()),
        _ => (200, String::new(), tgz(&[("a.yaml", "a: 1")])),
    });
    let repository = open.archive(&picky, &google(&service_account(&tokens.address).0));
    let error = repository.update_one(&archive(), Freshness::New).unwrap_err();
    assert_eq!(error.reason(), "AuthenticationFailed");
    update(&repository, &archive()).unwrap();
    assert_eq!(tokens.asked().len(), 2);
}

#[test]
fn a_redirect_gets_neither_token_nor_assertion() {
    let elsewhere = archives();
    let to = format!("Location: {}/b.tgz\r\n", elsewhere.address);
    let front = Loopback::start({
        let to = to.clone();
        move |_| (302, to.clone(), Vec::new())
    });
    let tokens = Loopback::of_tokens(json!(3600));
    let open = Open::new();
    update(&open.archive(&front, &google(&service_account(&tokens.address).0)), &archive()).unwrap();
    assert_eq!((front.shown(), elsewhere.shown()), (vec!["Bearer token-1".into()], vec![String::new()]));
    // A token server that sends on, and the machine's.
    let sender = Loopback::start(move |_| (307, to.clone(), Vec::new()));
    let machine = IdentitySource::GoogleMachine { address: sender.address.clone() };
    for access in [google(&service_account(&sender.address).0), access(machine)] {
        let said = failure(&open.archive(&front, &access), &archive());
        assert!(said.contains("token server redirects"), "{said}");
    }
    assert_eq!((sender.asked().len(), elsewhere.asked().len()), (2, 1));
}

#[test]
fn what_is_wrong_with_an_account_is_told_without_its_key() {
    let refusing = Loopback::start(|asked| {
        let answer = json!({"error": "invalid_grant", "error_description": asked.body});
        (400, String::new(), answer.to_string().into_bytes())
    });
    let babbling = Loopback::start(|asked| (200, String::new(), asked.body.clone().into_bytes()));
    let (open, server) = (Open::new(), archives());
    let (key, _) = service_account(&refusing.address);
    for (key, expected) in [
        (key.as_str(), "400 Bad Request (invalid_grant)"),
        (&service_account(&babbling.address).0, "cannot be read"),
        ("eyJhbGci", "no JSON"),
        (r#"{"client_email": "e", "private_key": "eyJhbGci"}"#, "no PEM private key"),
    ] {
        let said = failure(&open.archive(&server, &google(key)), &archive());
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("eyJ") && !said.contains("BEGIN"), "{said}");
    }
    let careful = Access { credentials_over_http: false, ..google(&key) };
    let error = open.archive(&server, &careful).update_one(&archive(), Freshness::New).unwrap_err();
    assert_eq!(error.reason(), "ClearTextCredentials");
    assert_eq!((refusing.asked().len(), server.asked().len()), (1, 0));
}

#[test]
fn azure_and_the_machines_of_both_clouds_are_asked_in_their_ways() {
    let (open, server) = (Open::new(), archives());
    let principal = Loopback::of_tokens(json!(3600));
    let google_machine = Loopback::of_tokens(json!(3600));
    let azure_machine = Loopback::of_tokens(json!("3600"));
    for source in [
        IdentitySource::AzureServicePrincipal {
            authority: principal.address.clone(),
            tenant: "tenant".into(),
            client_id: "client".into(),
            client_secret: "s3cret&".into(),
            scope: "scope/.default".into(),
        },
        IdentitySource::GoogleMachine { address: google_machine.address.clone() },
        IdentitySource::AzureMachine {
            address: azure_machine.address.clone(),
            client_id: "client".into(),
            scope: "https://storage.azure.com/.default".into(),
        },
    ] {
        let repository = open.archive(&server, &access(source));
        for _ in 0..2 {
            update(&repository, &archive()).unwrap();
        }
    }
    assert_eq!(server.shown(), ["Bearer token-1"; 6]);
    let [asked] = &principal.asked()[..] else { panic!("{:?}", principal.asked()) };
    assert_eq!(asked.line, "POST /tenant/oauth2/v2.0/token HTTP/1.1");
    let form =
        "grant_type=client_credentials&client_id=client&client_secret=s3cret%26&scope=scope%2F.default";
    assert_eq!(asked.body, form);
    let [asked] = &google_machine.asked()[..] else { panic!("{:?}", google_machine.asked()) };
    assert_eq!(asked.line, "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1");
    assert_eq!(asked.header("Metadata-Flavor"), Some("Google"));
    let [asked] = &azure_machine.asked()[..] else { panic!("{:?}", azure_machine.asked()) };
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com&client_id=client";
    assert_eq!(asked.line, format!("GET /metadata/identity/oauth2/token?{query} HTTP/1.1"));
    assert_eq!(asked.header("Metadata"), Some("true"));
}

#[test]
fn buckets_and_containers_get_bearer_tokens() {
    let tokens = Loopback::of_tokens(json!(3600));
    let list = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let server = Loopback::start(move |_| (200, String::new(), list.into()));
    let open = Open::new();
    let part = BucketPart { name: "apps".into(), ..BucketPart::default() };
    for kind in [ArtifactKind::Buckets, ArtifactKind::AzureContainers] {
        let repository = open.at(&server.address, kind, &google(&service_account(&tokens.address).0));
        let _ = repository.update_one(&ArtifactTarget::Bucket(part.clone()), Freshness::New);
    }
    assert_eq!(server.shown(), ["Bearer token-1", "Bearer token-2"]);
}

#[test]
fn registries_and_git_get_the_user_that_they_want() {
    let tokens = Loopback::of_tokens(json!(3600));
    let (key, _) = service_account(&tokens.address);
    let open = Open::new();
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let (user, token) = ("oauth2accesstoken".to_string(), "token-1".to_string());
    let access = google(&key);
    for auth in [RegistryAuth::Basic(user.clone(), token.clone()), RegistryAuth::Token(user, token)] {
        let registry = OciRegistry::builder().auth(auth).start().unwrap();
        registry.push("app", "1.0.0", &[(layer, &tgz(&[("a.yaml", "a: 1")]))], &[]).unwrap();
        let reference = OciReference::Revision("1.0.0".into());
        let target = ArtifactTarget::Oci { reference, layer: LayerSelector::Only };
        update(&open.at(&registry.url("app"), ArtifactKind::Oci, &access), &target).unwrap();
    }
    let server = GitServer::builder().basic_auth("reader@project.example.org", "token-1").start().unwrap();
    server.repository("org/app").unwrap().write("main", "file", "1").unwrap();
    let folder = open.folder.path().join("git");
    let store = RepositoryStore::open(folder, Policy::trusting(), Limits::default()).unwrap();
    let repository = store.repository(&server.url("org/app").parse().unwrap(), &access).unwrap();
    repository.update_one(&TargetRevision::parse("main", ""), Freshness::New).unwrap();
    assert_eq!(tokens.asked().len(), 1, "one token for all of them");
}

/// What a form says, name by name.
fn form(asked: &Asked) -> Vec<(String, String)> {
    let pairs = asked.body.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.into(), unescaped(value))).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// A file of the folder with a token that another issuer gave.
fn issued(open: &Open, text: &str) -> std::path::PathBuf {
    let path = open.folder.path().join("issued");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_workload_of_azure_shows_the_token_of_its_cluster() {
    let (open, server) = (Open::new(), archives());
    let tokens = Loopback::of_tokens(json!(3600));
    let source = IdentitySource::AzureWorkload {
        authority: format!("{}/", tokens.address),
        tenant: "tenant".into(),
        client_id: "client".into(),
        token_file: issued(&open, "issued.by.cluster\n"),
        scope: "scope/.default".into(),
    };
    let repository = open.archive(&server, &access(source.clone()));
    for _ in 0..2 {
        update(&repository, &archive()).unwrap();
    }
    assert_eq!(server.shown(), ["Bearer token-1"; 2]);
    let [asked] = &tokens.asked()[..] else { panic!("{:?}", tokens.asked()) };
    assert_eq!(asked.line, "POST /tenant/oauth2/v2.0/token HTTP/1.1");
    let wanted = pairs(&[
        ("grant_type", "client_credentials"),
        ("client_id", "client"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "issued.by.cluster"),
        ("scope", "scope/.default"),
    ]);
    assert_eq!(form(asked), wanted);
    // It uses a file of the machine.
    let closed = Open::with(Policy::trusting());
    let said = failure(&closed.archive(&server, &access(source)), &archive());
    assert!(said.contains("--allow-cluster-programs"), "{said}");
}

#[test]
fn a_registry_of_azure_exchanges_tokens_for_its_own() {
    let tokens = Loopback::of_tokens(json!(3600));
    let (open, server) = (Open::new(), archives());
    let registry =
        Loopback::start(|_| (200, String::new(), br#"{"refresh_token": "of.the.registry"}"#.to_vec()));
    let principal = IdentitySource::AzureServicePrincipal {
        authority: tokens.address,
        tenant: "tenant".into(),
        client_id: "client".into(),
        client_secret: "s3cret".into(),
        scope: windlass_source::AZURE_REGISTRY_SCOPE.into(),
    };
    let of = |of: IdentitySource, registry: &str| {
        access(IdentitySource::AzureRegistry { registry: registry.into(), of: Box::new(of) })
    };
    let repository = open.archive(&server, &of(principal.clone(), &registry.address));
    for _ in 0..2 {
        update(&repository, &archive()).unwrap();
    }
    let basic = STANDARD.encode("00000000-0000-0000-0000-000000000000:of.the.registry");
    assert_eq!(server.shown(), vec![format!("Basic {basic}"); 2]);
    let [asked] = &registry.asked()[..] else { panic!("{:?}", registry.asked()) };
    assert_eq!(asked.line, "POST /oauth2/exchange HTTP/1.1");
    let service = registry.address.strip_prefix("http://").unwrap();
    let wanted = [("grant_type", "access_token"), ("service", service), ("access_token", "token-1")];
    assert_eq!(form(asked), pairs(&wanted));
    assert_eq!(asked.header("authorization"), None);
    // What is refused and what is no answer is told without the token.
    for (status, content, told) in [
        (401, json!({"errors": [{"message": "token-1"}]}).to_string(), "401 Unauthorized"),
        (200, "token-1".to_owned(), "cannot be read"),
        (200, json!({"refresh_token": "two words"}).to_string(), "is no token"),
    ] {
        let registry = Loopback::start(move |_| (status, String::new(), content.clone().into_bytes()));
        let said = failure(&open.archive(&server, &of(principal.clone(), &registry.address)), &archive());
        assert!(said.contains(told) && !said.contains("token-"), "{said}");
    }
}

/// An account of Google's that another issuer vouches for.
fn external(tokens: &Loopback, source: &Value, further: &Value) -> Access {
    let mut config = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", tokens.address),
        "credential_source": source,
    });
    for (name, value) in further.as_object().unwrap() {
        config[name] = value.clone();
    }
    access(IdentitySource::of_google(config.to_string().into(), GOOGLE_STORAGE_SCOPE))
}

#[test]
fn google_believes_another_issuer() {
    let (open, server) = (Open::new(), archives());
    let issuer = Loopback::start(|_| (200, String::new(), br#"{"given": "issued.by.url"}"#.to_vec()));
    let as_text = json!({"file": issued(&open, "issued.in.file")});
    let json_file = open.folder.path().join("json");
    std::fs::write(&json_file, r#"{"id": {"x": 1}, "token": "issued.as.json"}"#).unwrap();
    let format = |field: &str| json!({"type": "json", "subject_token_field_name": field});
    let as_json = json!({"file": json_file, "format": format("token")});
    let of_url = json!({
        "url": format!("{}/token?audience=x", issuer.address),
        "headers": {"Metadata": "True"},
        "format": format("given"),
    });
    for (source, subject) in
        [(as_text.clone(), "issued.in.file"), (as_json, "issued.as.json"), (of_url, "issued.by.url")]
    {
        let tokens = Loopback::of_tokens(json!(3600));
        let repository = open.archive(&server, &external(&tokens, &source, &json!({})));
        for _ in 0..2 {
            update(&repository, &archive()).unwrap();
        }
        let [asked] = &tokens.asked()[..] else { panic!("{:?}", tokens.asked()) };
        assert_eq!(asked.line, "POST /v1/token HTTP/1.1");
        let audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";
        let wanted = [
            ("audience", audience),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", GOOGLE_STORAGE_SCOPE),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", subject),
        ];
        assert_eq!(form(asked), pairs(&wanted));
    }
    assert_eq!(server.shown(), ["Bearer token-1"; 6]);
    let [asked] = &issuer.asked()[..] else { panic!("{:?}", issuer.asked()) };
    assert_eq!(asked.line, "GET /token?audience=x HTTP/1.1");
    assert_eq!(asked.header("metadata"), Some("True"));

    // A service account takes the place of who was believed.
    let accounts = Loopback::start(|_| {
        let given = json!({"accessToken": "of.the.account", "expireTime": "2999-01-01T00:00:00Z"});
        (200, String::new(), given.to_string().into_bytes())
    });
    let tokens = Loopback::of_tokens(json!(3600));
    let address = format!("{}/v1/projects/-/serviceAccounts/a@b:generateAccessToken", accounts.address);
    let further = json!({
        "service_account_impersonation_url": address,
        "service_account_impersonation": {"token_lifetime_seconds": 600},
    });
    let (last, repository) = (archives(), external(&tokens, &as_text, &further));
    let repository = open.archive(&last, &repository);
    for _ in 0..2 {
        update(&repository, &archive()).unwrap();
    }
    assert_eq!(last.shown(), ["Bearer of.the.account"; 2]);
    assert_eq!(form(&tokens.asked()[0])[3].1, "https://www.googleapis.com/auth/cloud-platform");
    let [asked] = &accounts.asked()[..] else { panic!("{:?}", accounts.asked()) };
    assert_eq!(asked.line, "POST /v1/projects/-/serviceAccounts/a@b:generateAccessToken HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some("Bearer token-1"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body, json!({"scope": [GOOGLE_STORAGE_SCOPE], "lifetime": "600s"}));
}

#[test]
fn what_is_wrong_with_an_external_account_is_told_without_its_token() {
    let (open, server, tokens) = (Open::new(), archives(), Loopback::of_tokens(json!(60)));
    let file = issued(&open, r#"{"token": "s3cret.token"}"#);
    let silent = Loopback::start(|_| (404, String::new(), b"s3cret.token".to_vec()));
    for (source, told) in [
        (json!({"environment_id": "aws1"}), "neither a file nor a URL"),
        (json!({"file": "/absent"}), "no such file"),
        (
            json!({"file": file, "format": {"type": "json", "subject_token_field_name": "other"}}),
            "has no token",
        ),
        (json!({"file": file, "format": {"type": "json"}}), "has no token"),
        (json!({"url": silent.address}), "404 Not Found"),
        (json!({"url": silent.address, "headers": {"a b": "c"}}), "has no name"),
    ] {
        let said = failure(&open.archive(&server, &external(&tokens, &source, &json!({}))), &archive());
        assert!(said.contains(told) && !said.contains("s3cret"), "{said}");
    }
    let said = failure(&open.archive(&server, &external(&tokens, &json!(1), &json!({}))), &archive());
    assert!(said.contains("no external_account"), "{said}");
    assert!(tokens.asked().is_empty());
}

#[test]
fn a_registry_of_amazon_gives_passwords_to_keys_and_roles() {
    let given = STANDARD.encode("AWS:of.the.registry");
    let answer =
        json!({"authorizationData": [{"authorizationToken": given, "expiresAt": 32_503_680_000.5_f64}]});
    let registry = Loopback::start(move |_| (200, String::new(), answer.to_string().into_bytes()));
    let roles = Loopback::start(|_| {
        let given = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
            <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>SESSION/x==</SessionToken>\
            <SecretAccessKey>s3cret</SecretAccessKey><Expiration>2999-01-01T00:00:00Z</Expiration>\
            <AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
            </AssumeRoleWithWebIdentityResponse>";
        (200, String::new(), given.into())
    });
    let (open, server) = (Open::new(), archives());
    let key = AmazonLogin::Key { id: "AKIA".into(), secret: "s3cret".into() };
    let role = AmazonLogin::Role {
        role: "arn:aws:iam::1:role/reader".into(),
        token_file: issued(&open, "issued.by.cluster"),
        endpoint: roles.address.clone(),
    };
    for login in [key, role.clone()] {
        let source = IdentitySource::AmazonRegistry {
            region: "eu-west-1".into(),
            endpoint: registry.address.clone(),
            login,
        };
        let repository = open.archive(&server, &access(source));
        for _ in 0..2 {
            update(&repository, &archive()).unwrap();
        }
    }
    assert_eq!(server.shown(), vec![format!("Basic {given}"); 4], "{given}");
    let [by_key, by_role] = &registry.asked()[..] else { panic!("{:?}", registry.asked()) };
    for (asked, id, signed) in [
        (by_key, "AKIA", "host;x-amz-content-sha256;x-amz-date;x-amz-target"),
        (by_role, "ASIA", "host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target"),
    ] {
        assert_eq!((asked.line.as_str(), asked.body.as_str()), ("POST / HTTP/1.1", "{}"));
        let call = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        assert_eq!(asked.header("x-amz-target"), Some(call));
        assert_eq!(asked.header("content-type"), Some("application/x-amz-json-1.1"));
        // That signatures are right is asked of Amazon's own signer beside the code.
        let shown = asked.header("authorization").unwrap();
        let date = &asked.header("x-amz-date").unwrap()[..8];
        let scope =
            format!("Credential={id}/{date}/eu-west-1/ecr/aws4_request, SignedHeaders={signed}, Signature=");
        assert!(shown.starts_with(&format!("AWS4-HMAC-SHA256 {scope}")), "{shown}");
    }
    assert_eq!(by_key.header("x-amz-security-token"), None);
    assert_eq!(by_role.header("x-amz-security-token"), Some("SESSION/x=="));
    let [asked] = &roles.asked()[..] else { panic!("{:?}", roles.asked()) };
    let wanted = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::1:role/reader"),
        ("RoleSessionName", "windlass"),
        ("WebIdentityToken", "issued.by.cluster"),
    ];
    assert_eq!(form(asked), pairs(&wanted));
    assert_eq!(asked.header("accept"), Some("text/xml"));

    // What is wrong is told without what was shown.
    let refusing = Loopback::start(|asked| (403, String::new(), asked.body.clone().into_bytes()));
    let lying = Loopback::start(|asked| (200, String::new(), asked.body.clone().into_bytes()));
    let at = |region: &str, endpoint: &Loopback, login: AmazonLogin| {
        let (region, endpoint) = (region.to_owned(), endpoint.address.clone());
        failure(
            &open.archive(&server, &access(IdentitySource::AmazonRegistry { region, endpoint, login })),
            &archive(),
        )
    };
    let AmazonLogin::Role { role: name, token_file, .. } = role else { unreachable!() };
    let role_at = |server: &Loopback| AmazonLogin::Role {
        role: name.clone(),
        token_file: token_file.clone(),
        endpoint: server.address.clone(),
    };
    for (said, told) in [
        (at("x.evil.org/", &registry, role_at(&roles)), "its region is none"),
        (at("eu-west-1", &refusing, role_at(&roles)), "403 Forbidden"),
        (at("eu-west-1", &lying, role_at(&roles)), "cannot be read"),
        (at("eu-west-1", &registry, role_at(&refusing)), "403 Forbidden"),
        (at("eu-west-1", &registry, role_at(&lying)), "cannot be read"),
    ] {
        assert!(said.contains(told) && !said.contains("issued") && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_role_reads_buckets_with_the_keys_of_its_session() {
    let bucket = windlass_testing::S3Server::start().unwrap();
    bucket.put("a.yaml", "a: 1").unwrap();
    let roles = Loopback::start(|_| {
        let given = "<R><Credentials><SessionToken>SESSION/x==</SessionToken><SecretAccessKey>hunter2</SecretAccessKey>\
            <Expiration>2999-01-01T00:00:00Z</Expiration><AccessKeyId>KEY</AccessKeyId></Credentials></R>";
        (200, String::new(), given.into())
    });
    let open = Open::new();
    let source = |region: &str| IdentitySource::AmazonBuckets {
        region: region.into(),
        login: AmazonLogin::Role {
            role: "arn:aws:iam::1:role/reader".into(),
            token_file: issued(&open, "issued.by.cluster"),
            endpoint: roles.address.clone(),
        },
    };
    let part = BucketPart { name: "apps".into(), ..Default::default() };
    let target = ArtifactTarget::Bucket(part);
    let repository = open.at(&bucket.base_url(), ArtifactKind::Buckets, &access(source("eu-west-1")));
    for _ in 0..2 {
        update(&repository, &target).unwrap();
    }
    let [asked] = &roles.asked()[..] else { panic!("{:?}", roles.asked()) };
    assert!(form(asked).contains(&("RoleArn".into(), "arn:aws:iam::1:role/reader".into())));
    let elsewhere = open.at(&bucket.base_url(), ArtifactKind::Buckets, &access(source("x.evil.org/")));
    assert!(failure(&elsewhere, &target).contains("its region is none"));
    // Elsewhere such keys are of no use, and nothing of them is sent.
    let server = archives();
    let said = failure(&open.archive(&server, &access(source("eu-west-1"))), &archive());
    assert!(said.contains("it is for buckets of S3") && server.shown().is_empty(), "{said}");
    // Whoever may not use the machine gets no session.
    let closed = Open::with(Policy::trusting());
    let refused = closed.at(&bucket.base_url(), ArtifactKind::Buckets, &access(source("eu-west-1")));
    assert!(failure(&refused, &target).contains("--allow-cluster-programs"));
}
