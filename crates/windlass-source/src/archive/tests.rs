//! Archives of strangers: what is taken, what is refused and by which name.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use windlass_model::{EntryKind, Tree};

use super::{ArchiveLimits, ArchiveRoot};
use crate::artifact::ArtifactTree;

/// A tar archive of entries: kind, path, and content or link target. Paths are written as they are.
fn tar(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, path, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.as_old_mut().name[..path.len().min(100)]
            .copy_from_slice(&path.as_bytes()[..path.len().min(100)]);
        let is_file = matches!(kind, EntryType::Regular | EntryType::GNULongName | EntryType::XHeader);
        header.set_size(if is_file { content.len() as u64 } else { 0 });
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_mode(0o644);
        header.set_cksum();
        let body: &[u8] = if is_file { content.as_bytes() } else { &[] };
        archive.append(&header, body).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tree(archive: &[u8], root: ArchiveRoot) -> Result<ArtifactTree, String> {
    ArtifactTree::from_archive(archive, root, &ArchiveLimits::default()).map_err(|error| error.to_string())
}

const FILE: EntryType = EntryType::Regular;
const FOLDER: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const HARD_LINK: EntryType = EntryType::Link;

fn text_at(tree: &ArtifactTree, path: &str) -> Option<String> {
    Some(String::from_utf8(tree.read(path, 1 << 20).unwrap()?.to_vec()).unwrap())
}

#[test]
fn files_folders_and_links_inside_are_read() {
    let plain = tar(&[
        (FOLDER, "app/", ""),
        (FILE, "app/a.yaml", "a: 1"),
        (FILE, "./app/deep/er/b.yaml", "b: 2"),
        (SYMLINK, "app/link", "deep/er"),
        (SYMLINK, "app/gone", "nowhere"),
        (HARD_LINK, "app/same.yaml", "app/a.yaml"),
        (FILE, "empty", ""),
    ]);
    for archive in [plain.clone(), gzip(&plain)] {
        let tree = tree(&archive, ArchiveRoot::Top).unwrap();
        assert_eq!(text_at(&tree, "app/a.yaml").unwrap(), "a: 1");
        assert_eq!(text_at(&tree, "app/link/b.yaml").unwrap(), "b: 2");
        assert_eq!(text_at(&tree, "app/same.yaml").unwrap(), "a: 1");
        assert_eq!(text_at(&tree, "empty").unwrap(), "");
        assert_eq!(text_at(&tree, "app/gone"), None);
        assert!(tree.read("app/a.yaml", 3).is_err());
        assert!(tree.entry("../x").is_err());
        let names: Vec<_> = tree.list("app").unwrap().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.yaml", "deep", "link", "same.yaml"]);
        assert_eq!(tree.entry("app/link").unwrap(), tree.entry("app/deep/er").unwrap());
        assert_eq!(tree.entry("app").unwrap().unwrap().kind, EntryKind::Directory);
    }
}

#[test]
fn the_only_folder_can_be_the_root() {
    let archive = tar(&[(FILE, "web/Chart.yaml", "x"), (HARD_LINK, "web/again", "web/Chart.yaml")]);
    let tree = tree(&archive, ArchiveRoot::OnlyFolder).unwrap();
    assert_eq!(text_at(&tree, "Chart.yaml").unwrap(), "x");
    assert_eq!(text_at(&tree, "again").unwrap(), "x");
}

#[test]
fn digests_of_folders_follow_their_content_and_nothing_else() {
    let digest = |entries: &[(EntryType, &str, &str)], path: &str| {
        tree(&tar(entries), ArchiveRoot::Top).unwrap().entry(path).unwrap().unwrap().digest
    };
    let one = digest(&[(FILE, "a/x", "1"), (FILE, "b/y", "2")], "a");
    assert_eq!(one, digest(&[(FILE, "b/y", "3"), (FILE, "a/x", "1")], "a"));
    assert_ne!(one, digest(&[(FILE, "a/x", "2")], "a"));
    assert_ne!(one, digest(&[(FILE, "a/z", "1")], "a"));
    assert_ne!(one, digest(&[(SYMLINK, "a/x", "1")], "a"));
}

#[test]
fn what_is_hostile_is_refused_by_name() {
    let long_header = "x".repeat(70_000);
    for (entries, message) in [
        (vec![(FILE, "../x", "")], "the path \"../x\" in it leads out of the archive"),
        (vec![(FILE, "a/../../x", "")], "the path \"a/../../x\" in it leads out of the archive"),
        (vec![(FILE, "/etc/x", "")], "the path \"/etc/x\" in it is absolute"),
        (vec![(FILE, "a", ""), (FILE, "a", "")], "the path \"a\" in it is in it twice"),
        (vec![(FILE, "a", ""), (FILE, "./a", "")], "the path \"./a\" is in it twice"),
        (vec![(FILE, "a", ""), (FILE, "a/b", "")], "the path \"a/b\" is in it twice"),
        (vec![(FILE, "a/b", ""), (FILE, "a", "")], "the path \"a\" is in it twice"),
        (vec![(SYMLINK, "a", "../x")], "the link \"a\" in it points out of the archive"),
        (vec![(SYMLINK, "a", "/etc")], "the link \"a\" in it points out of the archive"),
        (vec![(SYMLINK, "a", "")], "the link \"a\" in it has no usable target"),
        (
            vec![(SYMLINK, "a", "b"), (FILE, "a/x", "")],
            "the path \"a/x\" in it leads through a symbolic link",
        ),
        (vec![(HARD_LINK, "a", "../x")], "the link \"a\" in it points out of the archive"),
        (vec![(HARD_LINK, "a", "b")], "the link \"a\" in it points to no file that came before it"),
        (vec![(EntryType::Char, "dev", "")], "\"dev\" in it is no file, folder or link"),
        (vec![(EntryType::Fifo, "pipe", "")], "\"pipe\" in it is no file, folder or link"),
        (vec![], "there are no files in it"),
        (vec![(FOLDER, "a/", "")], "there are no files in it"),
        (vec![(EntryType::GNULongName, "l", &long_header), (FILE, "a", "")], "it is no readable tar archive"),
        (vec![(EntryType::XHeader, "p", "10 size=5\n"), (FILE, "a", "abc")], "it is no readable tar archive"),
        (
            vec![(EntryType::XHeader, "p", "15 path=../../y\n"), (FILE, "a", "")],
            "it is no readable tar archive",
        ),
        (
            vec![(EntryType::XHeader, "p", "16 path=../../y\n"), (FILE, "a", "")],
            "the path \"../../y\" in it leads out of the archive",
        ),
    ] {
        // The first duplicate stands twice in its own message.
        let message = message.replace("in it is in it", "is in it");
        assert_eq!(tree(&tar(&entries), ArchiveRoot::Top).unwrap_err(), message, "{entries:?}");
    }
}

#[test]
fn what_is_too_much_names_its_limit() {
    let small = ArchiveLimits {
        unpacked_bytes: 40_000,
        file_bytes: 5_000,
        ratio: 2,
        entries: 3,
        depth: 3,
        path_bytes: 20,
    };
    let long = "y".repeat(6_000);
    let fair = "y".repeat(4_900);
    for (entries, limit) in [
        (vec![(FILE, "a", long.as_str())], "file_bytes"),
        (vec![(FILE, "a", ""), (FILE, "b", ""), (FILE, "c", ""), (FILE, "d", "")], "entries"),
        (vec![(FILE, "a/b/c/d", "")], "depth"),
        (vec![(FILE, "aaaaaaaaaaaaaaaaaaaaaaa", "")], "path_bytes"),
        (vec![(FILE, "a", fair.as_str()); 9], "is in it twice"),
    ] {
        let error =
            ArtifactTree::from_archive(&tar(&entries), ArchiveRoot::Top, &small).unwrap_err().to_string();
        assert!(error.contains(limit), "{error}");
    }
    let few = ArchiveLimits { unpacked_bytes: 4_000, ..small };
    let archive = tar(&[(FILE, "a", fair.as_str())]);
    let error = ArtifactTree::from_archive(&archive, ArchiveRoot::Top, &few).unwrap_err().to_string();
    assert!(error.contains("unpacked_bytes"), "{error}");
}

#[test]
fn a_bomb_is_seen_by_its_ratio() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 40 << 20]).unwrap();
    let zeros = encoder.finish().unwrap();
    let error = tree(&zeros, ArchiveRoot::Top).unwrap_err();
    assert_eq!(error, "it has more than the limit ratio of 200 times its own size");
}

proptest! {
    #[test]
    fn damage_is_an_error_or_harmless(at in 0_usize..4096, byte: u8, cut in 0_usize..4096) {
        let mut archive = tar(&[(FILE, "a/b", "hello"), (SYMLINK, "c", "a/b"), (FILE, "d", "x")]);
        if let Some(target) = archive.get_mut(at) {
            *target = byte;
        }
        archive.truncate(4096_usize.max(cut));
        let _ = tree(&archive, ArchiveRoot::Top);
        let mut packed = gzip(&tar(&[(FILE, "a/b", "hello")]));
        let length = packed.len();
        let whole = tree(&packed, ArchiveRoot::Top).unwrap().digest();
        packed[at % length] ^= byte;
        // The checksum of gzip sees every change of what is packed, not of its own padding.
        if let Ok(changed) = tree(&packed, ArchiveRoot::Top) {
            prop_assert_eq!(changed.digest(), whole);
        }
        packed.truncate(cut % length);
        prop_assert!(tree(&packed, ArchiveRoot::Top).is_err());
    }
}
