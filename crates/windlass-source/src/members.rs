//! The members of a folder in Git's own bytes: read once, then searched and compared in place.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use gix::ObjectId;
use gix::objs::TreeRefIter;

/// The members of one folder, in Git's order: names by their bytes, those of folders as if they ended in a slash.
///
/// A folder of ten thousand members is one buffer, not ten thousand strings.
pub(crate) struct Folder {
    data: Box<[u8]>,
    members: Box<[Place]>,
    id_bytes: usize,
    has_links: bool,
    /// Whether the members stand in Git's order in `data`, too.
    in_order: bool,
}

/// Where a member's name begins, and what it is. A NUL ends the name; the id follows.
struct Place {
    name: usize,
    kind: RawKind,
    executable: bool,
}

/// One member of a folder as Git stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) kind: RawKind,
    pub(crate) id: ObjectId,
    /// Whether it is a file that is marked as a program.
    pub(crate) executable: bool,
}

/// What Git says a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawKind {
    File,
    Directory,
    Link,
    Submodule,
}

impl Folder {
    /// Takes the content of a tree object.
    pub(crate) fn read(data: Vec<u8>, hash: gix::hash::Kind) -> gix::Result<Self> {
        let mut members = Vec::new();
        let begin = data.as_ptr().addr();
        for entry in TreeRefIter::from_bytes(&data, hash) {
            let entry = entry?;
            let kind = match entry.mode.kind() {
                gix::objs::tree::EntryKind::Tree => RawKind::Directory,
                gix::objs::tree::EntryKind::Blob | gix::objs::tree::EntryKind::BlobExecutable => {
                    RawKind::File
                }
                gix::objs::tree::EntryKind::Link => RawKind::Link,
                gix::objs::tree::EntryKind::Commit => RawKind::Submodule,
            };
            let executable = entry.mode.kind() == gix::objs::tree::EntryKind::BlobExecutable;
            members.push(Place { name: entry.filename.as_ptr().addr() - begin, kind, executable });
        }
        let has_links = members.iter().any(|member| member.kind == RawKind::Link);
        let id_bytes = hash.len_in_bytes();
        let members = members.into_boxed_slice();
        let mut folder = Self { data: data.into(), members, id_bytes, has_links, in_order: true };
        folder.ensure_order();
        Ok(folder)
    }

    /// Sorts what a careless program wrote; Git refuses such folders only where it is told to check.
    fn ensure_order(&mut self) {
        let is_sorted = self.iter().zip(self.iter().skip(1)).all(|(a, b)| a.order(&b) == Ordering::Less);
        if !is_sorted {
            self.in_order = false;
            let mut members = std::mem::take(&mut self.members);
            members.sort_by(|a, b| self.member(a).order(&self.member(b)));
            self.members = members;
        }
    }

    fn member(&self, place: &Place) -> Member<'_> {
        let rest = &self.data[place.name..];
        let length = memchr::memchr(0, rest).unwrap_or(rest.len());
        let id = rest.get(length + 1..length + 1 + self.id_bytes).unwrap_or_default();
        let id = ObjectId::try_from(id).unwrap_or_else(|_| ObjectId::null(gix::hash::Kind::Sha1));
        Member { bytes: &rest[..length], kind: place.kind, id, executable: place.executable }
    }

    /// The members, in Git's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        self.range(0..self.members.len())
    }

    /// Which members of this folder, and which of `other`, are left without those at the beginning and at the end that
    /// are the same. Found by comparing bytes: one member that differs among ten thousand costs next to nothing.
    pub(crate) fn differing(&self, other: &Self) -> [Range<usize>; 2] {
        let both = [self, other];
        let ends = both.map(|folder| folder.members.len());
        if !both.iter().all(|folder| folder.in_order) {
            return ends.map(|end| 0..end);
        }
        let same = common_prefix(&self.data, &other.data);
        let begin = self.members.partition_point(|place| self.end(place) <= same);
        let left = self.data.len().min(other.data.len()) - same;
        let same = common_suffix(&self.data, &other.data).min(left);
        // How far from the end the last members begin that are whole among the bytes that are the same.
        let [mut last, mut other_last] = both.map(|folder| {
            let from = folder.data.len() - same;
            folder.members.len()
                - (1 + folder.members.partition_point(|place| folder.end(place) < from))
                    .min(folder.members.len())
        });
        // Bytes of an id may read like a member, so the same bytes are the same members only from a common beginning.
        let distance =
            |folder: &Self, n_last: usize| folder.data.len() - folder.begin(folder.members.len() - n_last);
        while last > 0 && other_last > 0 {
            match distance(self, last).cmp(&distance(other, other_last)) {
                Ordering::Equal => break,
                Ordering::Greater => last -= 1,
                Ordering::Less => other_last -= 1,
            }
        }
        let n_last = last.min(other_last);
        ends.map(|end| begin..(end - n_last).max(begin))
    }

    /// Where a member begins.
    fn begin(&self, idx: usize) -> usize {
        idx.checked_sub(1).map_or(0, |before| self.end(&self.members[before]))
    }

    /// Where a member ends.
    fn end(&self, place: &Place) -> usize {
        let rest = &self.data[place.name..];
        place.name + memchr::memchr(0, rest).unwrap_or(rest.len()) + 1 + self.id_bytes
    }

    /// Some of the members, in Git's order.
    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = Member<'_>> {
        self.members[range].iter().map(|place| self.member(place))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether one of them is a symbolic link.
    pub(crate) fn has_links(&self) -> bool {
        self.has_links
    }

    /// The member `name`, as [`Member::name`] reads it.
    pub(crate) fn find(&self, name: &str) -> Option<Member<'_>> {
        if name.contains(char::REPLACEMENT_CHARACTER) {
            return self.iter().find(|member| member.name() == name);
        }
        [false, true].into_iter().find_map(|is_folder| {
            let wanted = |place: &Place| order(self.member(place).key(), (name.as_bytes(), is_folder));
            let at = self.members.binary_search_by(wanted).ok()?;
            Some(self.member(&self.members[at]))
        })
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.data.len() + size_of_val(&*self.members)
    }
}

impl<'a> Member<'a> {
    /// The name; what is not UTF-8 in it is replaced.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }

    /// Git's order of members.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        order(self.key(), other.key())
    }

    fn key(&self) -> (&'a [u8], bool) {
        (self.bytes, self.kind == RawKind::Directory)
    }
}

fn order((a, a_is_folder): (&[u8], bool), (b, b_is_folder): (&[u8], bool)) -> Ordering {
    let common = a.len().min(b.len());
    let end = |name: &[u8], is_folder: bool| name.get(common).copied().or(is_folder.then_some(b'/'));
    a[..common].cmp(&b[..common]).then_with(|| end(a, a_is_folder).cmp(&end(b, b_is_folder)))
}

/// Compared this many bytes at a time, which is one call of `memcmp`.
const CHUNK: usize = 256;

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.chunks(CHUNK).zip(b.chunks(CHUNK)).take_while(|(a, b)| a == b && a.len() == CHUNK).count();
    let rest = (&a[chunks * CHUNK..], &b[chunks * CHUNK..]);
    chunks * CHUNK + rest.0.iter().zip(rest.1).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let chunks =
        a.rchunks(CHUNK).zip(b.rchunks(CHUNK)).take_while(|(a, b)| a == b && a.len() == CHUNK).count();
    let rest = (&a[..a.len() - chunks * CHUNK], &b[..b.len() - chunks * CHUNK]);
    chunks * CHUNK + rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(members: &[(&str, &str)]) -> Folder {
        let mut data = Vec::new();
        for (idx, (mode, name)) in members.iter().enumerate() {
            data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            data.extend_from_slice(&[u8::try_from(idx).unwrap(); 20]);
        }
        Folder::read(data, gix::hash::Kind::Sha1).unwrap()
    }

    #[test]
    fn members_are_found_whatever_they_are() {
        let members = [
            ("100644", "a-b"),
            ("40000", "a"),
            ("100755", "a0"),
            ("120000", "link"),
            ("160000", "module"),
            ("100644", "ünd"),
        ];
        for sorted in [true, false] {
            let mut members = members;
            if !sorted {
                members.reverse();
            }
            let folder = folder(&members);
            assert_eq!(
                folder.iter().map(|member| member.name().into_owned()).collect::<Vec<_>>(),
                ["a-b", "a", "a0", "link", "module", "ünd"]
            );
            for (idx, (_, name)) in members.iter().enumerate() {
                let found = folder.find(name).unwrap();
                assert_eq!(
                    (found.name().as_ref(), found.id.as_bytes()[0]),
                    (*name, u8::try_from(idx).unwrap())
                );
            }
            for absent in ["", "A", "a-", "a-c", "b", "zz"] {
                assert_eq!(folder.find(absent), None, "{absent}");
            }
            assert!(folder.has_links());
        }
    }

    #[test]
    fn a_name_that_is_not_unicode_is_found_as_it_is_listed() {
        let mut data = b"100644 \xff.yaml\0".to_vec();
        data.extend_from_slice(&[7; 20]);
        let folder = Folder::read(data, gix::hash::Kind::Sha1).unwrap();
        let name = folder.iter().next().unwrap().name().into_owned();
        assert!(folder.find(&name).is_some());
    }

    /// Changes the names and ids of a folder's members.
    type Change<'a> = &'a dyn Fn(&mut Vec<(String, u8)>);

    #[test]
    fn only_what_differs_is_left() {
        let all: Vec<String> = (0..100).map(|idx| format!("f{idx:02}")).collect();
        let with = |change: Change<'_>| {
            let mut members: Vec<(String, u8)> = all.iter().map(|name| (name.clone(), b'4')).collect();
            change(&mut members);
            let mut data = Vec::new();
            for (name, id) in &members {
                data.extend_from_slice(format!("100644 {name}\0").as_bytes());
                // Ids that read like the beginning of a member.
                data.extend_from_slice(&[*id; 20]);
            }
            Folder::read(data, gix::hash::Kind::Sha1).unwrap()
        };
        let base = with(&|_| {});
        // Members that begin alike share bytes, which may leave one more of them than differs.
        let check = |change: Change<'_>, expected: [usize; 2]| {
            let other = with(change);
            let [here, there] = base.differing(&other);
            for (left, expected) in [here.clone(), there.clone()].into_iter().zip(expected) {
                assert!((expected..=expected + 1).contains(&left.len()), "{here:?} {there:?}");
            }
            assert!(base.range(0..here.start).eq(other.range(0..there.start)));
            assert!(base.range(here.end..base.len()).eq(other.range(there.end..other.len())));
        };
        check(&|members| members[40].1 = b'1', [1, 1]);
        check(&|members| members[0].1 = b'1', [1, 1]);
        check(&|members| members[99].1 = b'1', [1, 1]);
        check(&|members| drop(members.remove(50)), [1, 0]);
        check(&|members| members.insert(7, ("f06x".into(), b'4')), [0, 1]);
        check(&|members| members.clear(), [100, 0]);
        check(&|members| (members[3].1, members[90].1) = (b'1', b'1'), [88, 88]);
    }

    #[test]
    fn a_damaged_folder_is_an_error() {
        assert!(Folder::read(b"100644 name".to_vec(), gix::hash::Kind::Sha1).is_err());
    }
}
