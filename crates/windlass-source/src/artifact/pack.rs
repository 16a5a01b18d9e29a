//! A pack: the files of one Tree, one after the other, then where each lies.
//!
//! ```text
//! the bytes of the files, equal ones once
//! source sha256:…                  what it was unpacked from
//! d NAME                           a folder, up to its `u`
//! f DIGEST OFFSET SIZE NAME        a file
//! l TARGET<tab>NAME                a symbolic link
//! u
//! LENGTH DIGEST windlass-pack-1    of the lines above; always 70 bytes
//! ```
//!
//! Names hold no control characters, so a line is a line. A file without its last line is no pack: that is what a
//! crash leaves.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use windlass_kube::Str;
use windlass_model::Digest;

use super::ContentDigest;

/// The last word of every pack.
pub(super) const MAGIC: &str = "windlass-pack-1";

/// How long the last line is: 20 digits, a space, 32 digits, a space, the word and a line break.
pub(super) const FOOTER_BYTES: usize = 20 + 1 + 32 + 1 + MAGIC.len() + 1;

/// Something in a Tree, before it is written down.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    File { digest: Digest, offset: u64, size: u64 },
    Link(Str),
    Folder(BTreeMap<Str, Draft>),
}

/// Why something cannot be put where it should be.
pub(crate) enum Conflict {
    /// There is something else.
    Duplicate,
    /// A link is on the way.
    ThroughLink,
    /// The pack cannot be written.
    Write(io::Error),
}

/// Writes a pack.
pub(crate) struct PackWriter<W> {
    sink: W,
    written: u64,
    count: usize,
    root: BTreeMap<Str, Draft>,
    known: HashMap<Digest, (u64, u64)>,
}

impl<W: Write> PackWriter<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, written: 0, count: 0, root: BTreeMap::new(), known: HashMap::new() }
    }

    /// How many files, folders and links there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn folder(&mut self, names: &[String]) -> Result<(), Conflict> {
        folder_at(&mut self.root, names, &mut self.count).map(drop)
    }

    pub(crate) fn file(&mut self, names: &[String], content: &[u8]) -> Result<(), Conflict> {
        let digest = Digest::of_bytes(content);
        let size = content.len() as u64;
        let offset = match self.known.get(&digest) {
            Some((offset, known_size)) if *known_size == size => *offset,
            _ => self.written,
        };
        self.put(names, Draft::File { digest, offset, size })?;
        if offset == self.written {
            self.sink.write_all(content).map_err(Conflict::Write)?;
            self.written += size;
            self.known.insert(digest, (offset, size));
        }
        Ok(())
    }

    pub(crate) fn link(&mut self, names: &[String], target: &str) -> Result<(), Conflict> {
        self.put(names, Draft::Link(target.into()))
    }

    /// Puts a second name on the file at `target`; `false` when there is none.
    pub(crate) fn same_as(&mut self, names: &[String], target: &[String]) -> Result<bool, Conflict> {
        let Some((last, folders)) = target.split_last() else { return Ok(false) };
        let mut folder = &self.root;
        for name in folders {
            match folder.get(name.as_str()) {
                Some(Draft::Folder(members)) => folder = members,
                _ => return Ok(false),
            }
        }
        match folder.get(last.as_str()) {
            Some(file @ Draft::File { .. }) => {
                let file = file.clone();
                self.put(names, file).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    fn put(&mut self, names: &[String], draft: Draft) -> Result<(), Conflict> {
        let Some((last, folders)) = names.split_last() else { return Err(Conflict::Duplicate) };
        let folder = folder_at(&mut self.root, folders, &mut self.count)?;
        if folder.contains_key(last.as_str()) {
            return Err(Conflict::Duplicate);
        }
        folder.insert(last.as_str().into(), draft);
        self.count += 1;
        Ok(())
    }

    /// Writes what lies where. The pack is complete when this returns.
    pub(crate) fn finish(mut self, source: ContentDigest) -> io::Result<(W, Contents)> {
        let mut lines = format!("source {source}\n");
        write_lines(&self.root, &mut lines);
        self.sink.write_all(lines.as_bytes())?;
        self.sink.write_all(footer(&lines).as_bytes())?;
        self.sink.flush()?;
        Ok((self.sink, Contents { source, root: self.root }))
    }
}

fn footer(lines: &str) -> String {
    format!("{:020} {} {MAGIC}\n", lines.len(), Digest::of_bytes(lines.as_bytes()))
}

fn folder_at<'a>(
    mut folder: &'a mut BTreeMap<Str, Draft>,
    names: &[String],
    count: &mut usize,
) -> Result<&'a mut BTreeMap<Str, Draft>, Conflict> {
    for name in names {
        let next = folder.entry(name.as_str().into()).or_insert_with(|| {
            *count += 1;
            Draft::Folder(BTreeMap::new())
        });
        folder = match next {
            Draft::Folder(members) => members,
            Draft::Link(_) => return Err(Conflict::ThroughLink),
            Draft::File { .. } => return Err(Conflict::Duplicate),
        };
    }
    Ok(folder)
}

/// Recursion is as deep as [`ArchiveLimits::depth`](crate::ArchiveLimits) lets folders nest.
fn write_lines(folder: &BTreeMap<Str, Draft>, lines: &mut String) {
    for (name, draft) in folder {
        match draft {
            Draft::File { digest, offset, size } => {
                lines.push_str(&format!("f {digest} {offset} {size} {name}\n"));
            }
            Draft::Link(target) => lines.push_str(&format!("l {target}\t{name}\n")),
            Draft::Folder(members) => {
                lines.push_str(&format!("d {name}\n"));
                write_lines(members, lines);
                lines.push_str("u\n");
            }
        }
    }
}

/// What a pack holds, and what it was made of.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) source: ContentDigest,
    pub(crate) root: BTreeMap<Str, Draft>,
}

/// Where the lines begin in a pack of `length` bytes that ends with `footer`, and how long they are.
pub(super) fn lines_at(footer: &[u8], length: u64) -> Option<(u64, usize)> {
    let text = std::str::from_utf8(footer).ok()?;
    let n_bytes: usize = text.get(..20)?.parse().ok()?;
    let from = length.checked_sub(FOOTER_BYTES as u64)?.checked_sub(n_bytes as u64)?;
    Some((from, n_bytes))
}

/// Reads the lines of a pack; `None` when they are not what was written.
pub(super) fn read_lines(lines: &[u8], own_footer: &[u8], content_bytes: u64) -> Option<Contents> {
    let lines = std::str::from_utf8(lines).ok()?;
    if footer(lines).as_bytes() != own_footer {
        return None;
    }
    let (first, rest) = lines.split_once('\n')?;
    let source = first.strip_prefix("source ")?.parse().ok()?;
    let mut open: Vec<(Str, BTreeMap<Str, Draft>)> = vec![(Str::default(), BTreeMap::new())];
    for line in rest.lines() {
        let (kind, tail) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "d" => open.push((tail.into(), BTreeMap::new())),
            "u" => {
                let (name, members) = open.pop()?;
                open.last_mut()?.1.insert(name, Draft::Folder(members));
            }
            "f" => {
                let mut words = tail.splitn(4, ' ');
                let digest = parse_digest(words.next()?)?;
                let (offset, size): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                if offset.checked_add(size)? > content_bytes {
                    return None;
                }
                open.last_mut()?.1.insert(words.next()?.into(), Draft::File { digest, offset, size });
            }
            "l" => {
                let (target, name) = tail.split_once('\t')?;
                open.last_mut()?.1.insert(name.into(), Draft::Link(target.into()));
            }
            _ => return None,
        }
    }
    let (_, root) = open.pop()?;
    open.is_empty().then_some(Contents { source, root })
}

fn parse_digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(Digest::from_foreign(&bytes))
}
