//! Archives at an address.

use windlass_model::Tree;
use windlass_source::{
    Access, ArchiveRoot, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactStore, ArtifactTarget,
    ContentDigest, Policy,
};
use windlass_testing::FileServer;

use super::{Rig, chart, failure, text_at, tgz, update};

#[test]
fn an_archive_is_fetched_when_it_has_changed() {
    let server = FileServer::start().unwrap();
    server.put("app.tgz", tgz(&[("app-1/a.yaml", "a: 1")]));
    let rig = Rig::new();
    let archive = rig.archive(&format!("{}/app.tgz?token=s3cret", server.base_url()), &Access::default());
    let (whole, inner) = (
        ArtifactTarget::Archive { root: ArchiveRoot::Top, digest: None },
        ArtifactTarget::Archive { root: ArchiveRoot::OnlyFolder, digest: None },
    );
    let first = update(&archive, &whole).unwrap();
    assert_eq!(text_at(&first, "app-1/a.yaml").unwrap(), "a: 1");
    assert_eq!(text_at(&update(&archive, &inner).unwrap(), "a.yaml").unwrap(), "a: 1");
    server.forget_requests();
    assert_eq!(update(&archive, &whole).unwrap().revision, first.revision);
    assert_eq!(server.requests()[0].status, 304);
    server.put("app.tgz", tgz(&[("app-2/a.yaml", "a: 2")]));
    let second = update(&archive, &whole).unwrap();
    assert_eq!(text_at(&second, "app-2/a.yaml").unwrap(), "a: 2");
    // What was answered before does not change.
    assert_eq!(text_at(&first, "app-1/a.yaml").unwrap(), "a: 1");
    assert!(first.tree.entry("app-2").unwrap().is_none());
    assert!(failure(&archive, &chart("web", "")).contains("has no charts"));
    server.remove("app.tgz");
    assert_eq!(failure(&archive, &whole), "there is no repository at http://HOST/app.tgz");
}

#[test]
fn an_archive_may_have_to_be_a_certain_one() {
    let server = FileServer::builder().basic_auth("ada", "s3cret").start().unwrap();
    let (one, two) = (tgz(&[("a.yaml", "a: 1")]), tgz(&[("a.yaml", "a: 2")]));
    server.put("app.tgz", one.clone());
    let rig = Rig::new();
    let url = format!("{}/app.tgz", server.base_url());
    let archive = rig.archive(&url, &super::ada());
    let of = |content: &[u8]| ArtifactTarget::Archive {
        root: ArchiveRoot::Top,
        digest: Some(ContentDigest::of(content)),
    };
    let anything = ArtifactTarget::Archive { root: ArchiveRoot::Top, digest: None };
    let first = update(&archive, &of(&one)).unwrap();
    assert_eq!(first.revision.to_string(), ContentDigest::of(&one).to_string());
    // What it has to be is here.
    server.forget_requests();
    assert_eq!(update(&archive, &of(&one)).unwrap().revision, first.revision);
    assert!(server.requests().is_empty());
    let mismatch = |told: String| assert!(told.contains("and was announced as"), "{told}");
    mismatch(failure(&archive, &of(&two)));
    // Not even what another target was answered by just now.
    update(&archive, &anything).unwrap();
    mismatch(failure(&archive, &of(&two)));
    server.put("app.tgz", two.clone());
    assert_eq!(update(&archive, &of(&one)).unwrap().revision, first.revision);
    let second = update(&archive, &of(&two)).unwrap();
    assert_eq!(text_at(&second, "a.yaml").unwrap(), "a: 2");
    // Whoever knows a digest and no password gets nothing of what others have fetched.
    let password = windlass_source::Secret::new("guess");
    let authentication = windlass_source::Authentication::Basic { username: "eve".into(), password };
    let eve = Access { authentication, ..super::ada() };
    let stranger = rig.archive(&url, &eve);
    assert!(failure(&stranger, &of(&one)).contains("did not accept"));
}

#[test]
fn a_hostile_archive_is_named_and_leaves_nothing() {
    let server = FileServer::start().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..4].copy_from_slice(b"../x");
    header.set_size(0);
    header.set_cksum();
    archive.append(&header, &[][..]).unwrap();
    server.put("app.tar", archive.into_inner().unwrap());
    let rig = Rig::new();
    let target = ArtifactTarget::Archive { root: ArchiveRoot::Top, digest: None };
    assert_eq!(
        failure(&rig.archive(&format!("{}/app.tar", server.base_url()), &Access::default()), &target),
        "cannot get the archive from http://HOST/app.tar: its archive is refused: \
         the path \"../x\" in it leads out of the archive"
    );
    let left = std::fs::read_dir(rig.folder.path().join("store/packs")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn policy_keeps_servers_inside_out_of_reach() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = ArtifactStore::open(folder.path(), Policy::default(), ArtifactLimits::default()).unwrap();
    let options = ArtifactOptions::default();
    for (url, kind) in [
        ("http://127.0.0.1:1/x.tgz", ArtifactKind::Archive),
        ("https://169.254.169.254/", ArtifactKind::HelmRepository),
        ("oci://localhost/x", ArtifactKind::Oci),
    ] {
        let refused = store.repository(&url.parse().unwrap(), kind, &Access::default(), &options);
        assert_eq!(refused.unwrap_err().reason(), "RepositoryRefused", "{url}");
    }
    assert_eq!(
        ArtifactStore::open(folder.path(), Policy::default(), ArtifactLimits::default())
            .err()
            .unwrap()
            .reason(),
        "StoreInUse"
    );
}
