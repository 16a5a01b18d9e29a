//! Archives at an address.

use windlass_model::Tree;
use windlass_source::{
    Access, ArchiveRoot, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactStore, ArtifactTarget, Policy,
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
        ArtifactTarget::Archive { root: ArchiveRoot::Top },
        ArtifactTarget::Archive { root: ArchiveRoot::OnlyFolder },
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
    let target = ArtifactTarget::Archive { root: ArchiveRoot::Top };
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
