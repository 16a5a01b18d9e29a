//! Buckets of a server that speaks S3 and checks every signature with the signer of AWS' own SDK (`tools/s3`).

use windlass_model::Tree;
use windlass_source::{
    Access, AmazonSession, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactRepository,
    ArtifactSnapshot, ArtifactTarget, ArtifactUrl, Authentication, BucketPart, Freshness, Secret,
    SourceError, chain,
};
use windlass_testing::{FileServer, S3Server};

use crate::Rig;

fn buckets(server: &S3Server, rig: &Rig, secret: &str) -> std::sync::Arc<ArtifactRepository> {
    let (url, options) = (server.base_url(), ArtifactOptions::default());
    rig.store.repository(&url.parse().unwrap(), ArtifactKind::Buckets, &access(secret), &options).unwrap()
}

fn access(secret: &str) -> Access {
    Access {
        authentication: Authentication::Basic {
            username: S3Server::KEY.into(),
            password: Secret::new(secret),
        },
        ..Access::default()
    }
}

fn part(prefix: &str, ignore: &str) -> BucketPart {
    BucketPart { name: "apps".into(), prefix: prefix.into(), ignore: ignore.into(), ..BucketPart::default() }
}

fn update(repository: &ArtifactRepository, part: BucketPart) -> Result<ArtifactSnapshot, SourceError> {
    repository.update_one(&ArtifactTarget::Bucket(part), Freshness::New)
}

fn names(tree: &dyn Tree, folder: &str) -> Vec<String> {
    tree.list(folder).unwrap().unwrap_or_default().iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn objects_become_files_and_changes_are_seen_by_their_etags() {
    let server = S3Server::start().unwrap();
    server.put("deploy/a.yaml", "a: 1").unwrap();
    server.put("deploy/%C3%A9%20+%26.yaml", "b: 1").unwrap();
    server.put("other/c.yaml", "c: 1").unwrap();
    let rig = Rig::new();
    let repository = buckets(&server, &rig, "hunter2");
    let first = update(&repository, part("", "")).unwrap();
    assert_eq!(names(&first.tree, ""), ["deploy", "other"]);
    assert_eq!(names(&first.tree, "deploy"), ["a.yaml", "é +&.yaml"]);
    assert_eq!(first.tree.read("deploy/a.yaml", 100).unwrap().unwrap().as_ref(), b"a: 1");
    // Nothing has changed: the same revision, also for who only asks for it.
    let again = update(&repository, part("", "")).unwrap();
    assert_eq!(again.revision, first.revision);
    let target = ArtifactTarget::Bucket(part("", ""));
    let resolved = repository.resolve(&[target.clone()].into(), Freshness::New).remove(&target).unwrap();
    assert_eq!(resolved.unwrap(), first.revision);
    server.put("deploy/a.yaml", "a: 2").unwrap();
    let second = update(&repository, part("", "")).unwrap();
    assert_ne!(second.revision, first.revision);
    assert_eq!(second.tree.read("deploy/a.yaml", 100).unwrap().unwrap().as_ref(), b"a: 2");
    // A Tree that is open stays as it was.
    assert_eq!(first.tree.read("deploy/a.yaml", 100).unwrap().unwrap().as_ref(), b"a: 1");
    server.delete("other/c.yaml").unwrap();
    assert_eq!(names(&update(&repository, part("", "")).unwrap().tree, ""), ["deploy"]);
}

#[test]
fn a_prefix_and_patterns_choose_among_them() {
    let server = S3Server::start().unwrap();
    for key in ["deploy/a.yaml", "deploy/notes.md", "deploy/keep.md", "deployed/x.yaml", "top.yaml"] {
        server.put(key, key).unwrap();
    }
    let rig = Rig::new();
    let repository = buckets(&server, &rig, "hunter2");
    let tree = update(&repository, part("deploy/", "*.md\n!keep.md")).unwrap().tree;
    assert_eq!(names(&tree, ""), ["deploy"]);
    assert_eq!(names(&tree, "deploy"), ["a.yaml", "keep.md"]);
    server.put(".sourceignore", "deployed/\n*.md\n").unwrap();
    let tree = update(&repository, part("", "!notes.md")).unwrap().tree;
    assert_eq!(names(&tree, ""), ["deploy", "top.yaml"]);
    assert_eq!(names(&tree, "deploy"), ["a.yaml", "notes.md"]);
}

#[test]
fn single_objects_are_put_and_read() {
    let server = S3Server::start().unwrap();
    server.put("other/x", "x").unwrap();
    let rig = Rig::new();
    let url = server.base_url().parse().unwrap();
    let objects = rig.store.bucket_objects(&url, &access("hunter2"), part("cache/", "")).unwrap();
    assert_eq!(objects.get("a", 100).unwrap(), None);
    for content in [&b"first"[..], b"", &[0, 255, b'\n']] {
        objects.put("a", content.to_vec()).unwrap();
        assert_eq!(objects.get("a", 100).unwrap().as_deref(), Some(content));
    }
    objects.put("deep/\u{e9} +&", b"b".to_vec()).unwrap();
    assert_eq!(objects.names().unwrap(), ["a", "deep/\u{e9} +&"]);
    assert!(objects.get("a", 2).is_err(), "it is longer");
    // What is put is signed as what is read is.
    let stranger = rig.store.bucket_objects(&url, &access("wrong"), part("cache/", "")).unwrap();
    assert!(matches!(stranger.put("a", b"x".to_vec()), Err(SourceError::Forbidden { .. })));
}

#[test]
fn keys_of_a_session_are_sent_with_its_token() {
    // Amazon's own signer says whether what is signed, the token with it, is signed rightly.
    let (server, plain) = (S3Server::start().unwrap(), FileServer::start().unwrap());
    server.put("a.yaml", "a: 1").unwrap();
    plain.put("apps", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    let rig = Rig::new();
    let of_session = |address: &str, secret: &str| {
        let (id, secret, token) = (S3Server::KEY.into(), Secret::new(secret), Secret::new("SESSION/x=="));
        let session = AmazonSession { id, secret, token };
        let access =
            Access { authentication: Authentication::Session(Box::new(session)), ..Access::default() };
        let options = ArtifactOptions::default();
        rig.store.repository(&address.parse().unwrap(), ArtifactKind::Buckets, &access, &options).unwrap()
    };
    let read = update(&of_session(&server.base_url(), "hunter2"), part("", "")).unwrap();
    assert_eq!(names(&read.tree, ""), ["a.yaml"]);
    let said = chain(&update(&of_session(&server.base_url(), "hunter3"), part("", "")).unwrap_err());
    assert!(said.contains("forbidden") && !said.contains("SESSION"), "{said}");
    let _ = update(&of_session(&plain.base_url(), "hunter2"), part("", ""));
    let asked = &plain.requests()[0].authorization;
    assert!(
        asked.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
        "{asked}"
    );
}

#[test]
fn lists_go_over_many_pages() {
    let server = S3Server::start().unwrap();
    for n in 0..1_100 {
        server.put(&format!("files/{n:04}.yaml"), "").unwrap();
    }
    let rig = Rig::new();
    let tree = update(&buckets(&server, &rig, "hunter2"), part("files/", "")).unwrap().tree;
    assert_eq!(names(&tree, "files").len(), 1_100);
}

#[test]
fn what_is_wrong_is_told_without_the_key() {
    let server = S3Server::start().unwrap();
    server.put("a.yaml", "a: 1").unwrap();
    let rig = Rig::new();
    let told = |secret: &str, part: BucketPart| {
        let error = update(&buckets(&server, &rig, secret), part).unwrap_err();
        let text = chain(&error);
        assert!(!text.contains(secret), "{text}");
        (error, text)
    };
    assert!(matches!(told("wrong", part("", "")).0, SourceError::Forbidden { .. }));
    let absent = BucketPart { name: "absent".into(), ..part("", "") };
    assert!(matches!(told("hunter2", absent).0, SourceError::RepositoryNotFound { .. }));
    let odd = BucketPart { name: "../x".into(), ..part("", "") };
    assert!(told("hunter2", odd).1.contains("a bucket is named by letters"));
    let limits = ArtifactLimits { archive_bytes: 3, ..ArtifactLimits::default() };
    let small = Rig::with(limits);
    let error = update(&buckets(&server, &small, "hunter2"), part("", "")).unwrap_err();
    assert!(chain(&error).contains("limit archive_bytes of 3 bytes"), "{}", chain(&error));
    drop(server);
}

/// A container of Azure's as Azurite 3.35.0 lists it, in two pages.
fn azure_list(blobs: &[(&str, &str)], next: &str) -> String {
    let blobs: String = blobs
        .iter()
        .map(|(name, etag)| {
            format!(
                "<Blob><Name>{name}</Name><Properties><Creation-Time>Sun, 22 Nov 2026 00:20:57 GMT</Creation-Time>\
                 <Etag>{etag}</Etag><Content-Length>4</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            )
        })
        .collect();
    let next =
        if next.is_empty() { "<NextMarker/>".into() } else { format!("<NextMarker>{next}</NextMarker>") };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><EnumerationResults \
         ServiceEndpoint=\"http://127.0.0.1:10000/account\" ContainerName=\"apps\"><Prefix/><Marker/>\
         <MaxResults>5000</MaxResults><Blobs>{blobs}</Blobs>{next}</EnumerationResults>"
    )
}

#[test]
fn containers_of_azure_are_read_and_changes_seen_by_their_etags() {
    let server = FileServer::start().unwrap();
    let list = |etag: &str| {
        let blobs = [("deploy/a.yaml", etag), ("deploy/é +&amp;.yaml", "0x2"), ("other/c.yaml", "0x3")];
        server.put("account/apps", azure_list(&blobs, ""));
    };
    list("0x1");
    server.put("account/apps/deploy/a.yaml", "a: 1");
    server.put("account/apps/deploy/%C3%A9%20%2B%26.yaml", "b: 1");
    server.put("account/apps/other/c.yaml", "c: 1");
    let rig = Rig::new();
    let containers = |key: &str, query: &str| {
        let access = Access {
            authentication: Authentication::Basic { username: "account".into(), password: Secret::new(key) },
            credentials_over_http: true,
            ..Access::default()
        };
        let access = if key.is_empty() { Access::default() } else { access };
        let url = format!("{}/account{query}", server.base_url()).parse().unwrap();
        let options = ArtifactOptions::default();
        rig.store.repository(&url, ArtifactKind::AzureContainers, &access, &options).unwrap()
    };
    let repository = containers("a2V5", "");
    let first = update(&repository, part("", "")).unwrap();
    assert_eq!(names(&first.tree, ""), ["deploy", "other"]);
    assert_eq!(names(&first.tree, "deploy"), ["a.yaml", "é +&.yaml"]);
    let asked = server.requests();
    assert_eq!(asked[0].query, "comp=list&prefix=&restype=container");
    assert!(asked.iter().all(|request| request.authorization.starts_with("SharedKey account:")));
    assert_eq!(update(&repository, part("", "")).unwrap().revision, first.revision);
    list("0x9");
    server.put("account/apps/deploy/a.yaml", "a: 2");
    let second = update(&repository, part("", "")).unwrap();
    assert_ne!(second.revision, first.revision);
    assert_eq!(second.tree.read("deploy/a.yaml", 100).unwrap().unwrap().as_ref(), b"a: 2");
    // A shared access signature goes with every request, and into no message.
    server.forget_requests();
    let by_signature = containers("", "?sv=2021&sig=s3cret");
    update(&by_signature, part("", "")).unwrap();
    assert!(server.requests().iter().all(|request| request.query.ends_with("sv=2021&sig=s3cret")));
    // The same from a Secret, and not in clear text unless that is allowed.
    server.forget_requests();
    let url: ArtifactUrl = format!("{}/account", server.base_url()).parse().unwrap();
    let shared = |credentials_over_http| {
        let authentication = Authentication::SharedAccess(Secret::new("?sv=2021&sig=s3cret"));
        let access = Access { authentication, credentials_over_http, ..Access::default() };
        let options = ArtifactOptions::default();
        rig.store.repository(&url, ArtifactKind::AzureContainers, &access, &options).unwrap()
    };
    let refused = update(&shared(false), part("", "")).unwrap_err();
    assert!(matches!(refused, SourceError::ClearTextCredentials { .. }), "{refused:?}");
    assert!(server.requests().is_empty());
    assert_eq!(update(&shared(true), part("", "")).unwrap().revision, second.revision);
    assert!(server.requests().iter().all(|request| request.query.ends_with("sv=2021&sig=s3cret")));
    server.put("account/apps", "<html>");
    let said = chain(&update(&by_signature, part("", "")).unwrap_err());
    assert!(said.contains("its list of objects cannot be read") && !said.contains("s3cret"), "{said}");
    let said = chain(&update(&containers("no key", ""), part("", "")).unwrap_err());
    assert!(said.contains("account key") && said.contains("it is not base64"), "{said}");
}

#[test]
fn buckets_of_google_are_read_and_changes_seen_by_their_etags() {
    let server = FileServer::start().unwrap();
    // As fake-gcs-server 1.56.1 lists it, of which the same objects were read by hand.
    let list = |etag: &str| {
        let object = |name: &str, etag: &str| {
            format!(
                r#"{{"kind":"storage#object","name":"{name}","bucket":"apps","size":"4","etag":"{etag}"}}"#
            )
        };
        let objects =
            [object("deploy/a.yaml", etag), object("deploy/é +&.yaml", r#"\"2\""#), object("deploy/", "3")];
        server.put(
            "storage/v1/b/apps/o",
            format!(r#"{{"kind":"storage#objects","items":[{}]}}"#, objects.join(",")),
        );
    };
    list("1");
    server.put("storage/v1/b/apps/o/deploy%2Fa.yaml", "a: 1");
    server.put("storage/v1/b/apps/o/deploy%2F%C3%A9%20%2B%26.yaml", "b: 1");
    let rig = Rig::new();
    let (url, options) = (server.base_url().parse().unwrap(), ArtifactOptions::default());
    let at =
        |access: &Access| rig.store.repository(&url, ArtifactKind::GoogleBuckets, access, &options).unwrap();
    let bearer = Access {
        authentication: Authentication::Bearer(Secret::new("t0ken")),
        credentials_over_http: true,
        ..Access::default()
    };
    let repository = at(&bearer);
    let rooted = BucketPart { is_rooted: true, ..part("deploy/", "") };
    let first = update(&repository, rooted.clone()).unwrap();
    assert_eq!(names(&first.tree, ""), ["a.yaml", "é +&.yaml"]);
    assert_eq!(first.tree.read("é +&.yaml", 100).unwrap().unwrap().as_ref(), b"b: 1");
    let asked = server.requests();
    assert_eq!(asked[0].query, "fields=items%28name%2Cetag%2Cgeneration%29%2CnextPageToken&prefix=deploy%2F");
    assert!(asked[1..].iter().all(|request| request.query == "alt=media"));
    assert!(asked.iter().all(|request| request.authorization == "Bearer t0ken"));
    assert_eq!(update(&repository, rooted.clone()).unwrap().revision, first.revision);
    assert_eq!(server.requests().len(), asked.len() + 1);
    list("4");
    server.put("storage/v1/b/apps/o/deploy%2Fa.yaml", "a: 2");
    let second = update(&repository, rooted.clone()).unwrap();
    assert_ne!(second.revision, first.revision);
    assert_eq!(second.tree.read("a.yaml", 100).unwrap().unwrap().as_ref(), b"a: 2");
    // The same objects with the prefix in their paths are another tree.
    assert_eq!(names(&update(&repository, part("deploy/", "")).unwrap().tree, ""), ["deploy"]);
    let said = chain(&update(&at(&access("hunter2")), rooted.clone()).unwrap_err());
    assert!(said.contains("s3://BUCKET") && !said.contains("hunter2"), "{said}");
    server.put("storage/v1/b/apps/o", r#"{"items": [{"name": "a"}]}"#);
    let said = chain(&update(&repository, rooted).unwrap_err());
    assert!(said.contains("its list of objects cannot be read"), "{said}");
}
