//! Repositories on this machine, read without any program.

use std::process::Command;

use windlass_source::{Access, Limits, Policy, SourceError};
use windlass_testing::Repository as GitRepository;

use crate::{Rig, commit, failure, text_at, update};

#[test]
fn a_bare_repository_is_read_in_place() {
    let rig = Rig::new();
    let git = GitRepository::init(rig.folder.path().join("app.git")).unwrap();
    let path = git.path().display().to_string();
    assert_eq!(failure(&rig.anonymous(&path), "HEAD"), format!("{path} has no commits yet"));
    let first = git.write("main", "file", "first").unwrap();
    git.annotated_tag("v1.0.0", first.as_str(), "release").unwrap();
    git.write("main", "file", "second").unwrap();
    for url in [path.clone(), git.file_url()] {
        let repository = rig.anonymous(&url);
        assert_eq!(text_at(&update(&repository, "HEAD").unwrap(), "file").as_deref(), Some("second"));
        assert_eq!(update(&repository, "1.x").unwrap().revision.commit, commit(&first));
        assert_eq!(update(&repository, "v1.0.0").unwrap().revision.tag.as_deref(), Some("v1.0.0"));
        assert_eq!(update(&repository, first.as_str()).unwrap().revision.commit, commit(&first));
        assert_eq!(update(&repository, &first.as_str()[..9]).unwrap().revision.commit, commit(&first));
        assert_eq!(failure(&repository, "gone"), format!("there is no branch, tag or commit gone in {path}"));
    }
    git.write("main", "file", "third").unwrap();
    git.repack().unwrap();
    assert_eq!(text_at(&update(&rig.anonymous(&path), "main").unwrap(), "file").as_deref(), Some("third"));
}

#[test]
fn a_work_tree_is_read_at_its_commits() {
    let rig = Rig::new();
    let folder = rig.folder.path().join("work");
    std::fs::create_dir(&folder).unwrap();
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-C"])
            .arg(&folder)
            .args(arguments)
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    std::fs::write(folder.join("file"), "committed").unwrap();
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    std::fs::write(folder.join("file"), "not yet").unwrap();
    let repository = rig.anonymous(folder.to_str().unwrap());
    assert_eq!(text_at(&update(&repository, "HEAD").unwrap(), "file").as_deref(), Some("committed"));
    git(&["commit", "-q", "-a", "-m", "two"]);
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("not yet"));
    // Another repository takes its place.
    std::fs::remove_dir_all(folder.join(".git")).unwrap();
    git(&["init", "-q", "-b", "main"]);
    std::fs::write(folder.join("file"), "new repository").unwrap();
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "three"]);
    assert_eq!(text_at(&update(&repository, "main").unwrap(), "file").as_deref(), Some("new repository"));
}

#[test]
fn what_is_no_repository_and_what_is_not_allowed() {
    let rig = Rig::new();
    let path = rig.folder.path().join("nothing").display().to_string();
    assert_eq!(failure(&rig.anonymous(&path), "HEAD"), format!("there is no repository at {path}"));
    let strict = Rig::with(Policy::default(), Limits::default());
    let refused = strict.store.repository(&path.parse().unwrap(), &Access::default());
    assert!(matches!(refused, Err(SourceError::Refused { .. })));
}
