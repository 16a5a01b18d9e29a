//! The entries of a tar archive, one after the other, into a Tree's pack.

use std::cell::Cell;
use std::io::{self, Read, Write};

use tar::EntryType;

use super::{ArchiveError, ArchiveLimits, ArchiveRoot, RATIO_MATTERS_FROM, path, uncompressed};
use crate::artifact::pack::{Conflict, PackWriter};

/// Most bytes of the headers that carry long names and further attributes: a path, a link and some numbers.
const MAX_HEADER_BYTES: u64 = 64 << 10;

/// Names that a header has announced for the entry after it.
#[derive(Default)]
struct Announced {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads `archive` to its end and writes what it holds to `pack`.
pub(crate) fn unpack<W: Write>(
    archive: impl Read,
    root: ArchiveRoot,
    limits: &ArchiveLimits,
    pack: &mut PackWriter<W>,
) -> Result<(), ArchiveError> {
    let packed = Cell::new(0);
    let unpacked = Cell::new(0);
    let exceeded = Cell::new(None);
    let counted = Counted { inner: archive, count: &packed };
    let reader = Guarded {
        inner: uncompressed(counted).map_err(ArchiveError::Damaged)?,
        packed: &packed,
        unpacked: &unpacked,
        limits,
        exceeded: &exceeded,
    };
    let damaged = |error: io::Error| match exceeded.get() {
        Some((name, limit, unit)) => ArchiveError::limit(name, limit, unit, None),
        None => ArchiveError::Damaged(error),
    };
    let mut archive = tar::Archive::new(reader);
    let mut announced = Announced::default();
    let mut n_entries = 0_usize;
    let mut n_files = 0_usize;
    // Raw: long names are read here, under a limit, and a size that contradicts its header is refused.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        n_entries += 1;
        if n_entries > limits.entries.saturating_mul(3) {
            return Err(ArchiveError::limit("entries", limits.entries, "entries", None));
        }
        let kind = entry.header().entry_type();
        let size = entry.header().entry_size().map_err(damaged)?;
        match kind {
            EntryType::GNULongName => {
                announced.path = Some(header_text(&mut entry, size).map_err(damaged)?);
                continue;
            }
            EntryType::GNULongLink => {
                announced.link = Some(header_text(&mut entry, size).map_err(damaged)?);
                continue;
            }
            EntryType::XHeader => {
                let text = header_text(&mut entry, size).map_err(damaged)?;
                read_attributes(&text, &mut announced).map_err(damaged)?;
                continue;
            }
            EntryType::XGlobalHeader => continue,
            _ => {}
        }
        let announced = std::mem::take(&mut announced);
        let raw_path = announced.path.unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let shown = || String::from_utf8_lossy(&raw_path).into_owned();
        if announced.size.is_some_and(|announced| announced != size) {
            return Err(damaged(io::Error::other(format!("two sizes are given for {:?}", shown()))));
        }
        let Some(names) = path::names(&raw_path, root, limits)? else { continue };
        if pack.count() >= limits.entries {
            return Err(ArchiveError::limit("entries", limits.entries, "entries", None));
        }
        let conflict = |conflict| match conflict {
            Conflict::Duplicate => ArchiveError::Duplicate { path: shown() },
            Conflict::ThroughLink => ArchiveError::ThroughLink { path: shown() },
            Conflict::Write(error) => ArchiveError::Store(error),
        };
        let link = || {
            let raw =
                announced.link.clone().or_else(|| entry.header().link_name_bytes().map(|it| it.into_owned()));
            let target = raw.and_then(|raw| String::from_utf8(raw).ok());
            target
                .filter(|target| !target.is_empty() && !target.chars().any(char::is_control))
                .filter(|target| target.len() <= limits.path_bytes)
                .ok_or_else(|| ArchiveError::Link { path: shown(), problem: "has no usable target" })
        };
        match kind {
            EntryType::Directory => pack.folder(&names).map_err(conflict)?,
            // An old way to write a folder.
            EntryType::Regular if raw_path.ends_with(b"/") => pack.folder(&names).map_err(conflict)?,
            EntryType::Regular | EntryType::Continuous => {
                if size > limits.file_bytes {
                    let path = shown();
                    return Err(ArchiveError::limit("file_bytes", limits.file_bytes, "bytes", Some(&path)));
                }
                let mut content = Vec::with_capacity(usize::try_from(size.min(1 << 20)).unwrap_or_default());
                entry.read_to_end(&mut content).map_err(damaged)?;
                if content.len() as u64 != size {
                    return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
                }
                pack.file(&names, &content).map_err(conflict)?;
                n_files += 1;
            }
            EntryType::Symlink => {
                let target = link()?;
                if !path::stays_inside(&target, names.len() - 1) {
                    return Err(ArchiveError::Link { path: shown(), problem: "points out of the archive" });
                }
                pack.link(&names, &target).map_err(conflict)?;
                n_files += 1;
            }
            EntryType::Link => {
                let target = link()?;
                let outside = || ArchiveError::Link { path: shown(), problem: "points out of the archive" };
                let target_names = path::names(target.as_bytes(), root, limits)
                    .map_err(|_| outside())?
                    .ok_or_else(outside)?;
                if !pack.same_as(&names, &target_names).map_err(conflict)? {
                    let problem = "points to no file that came before it";
                    return Err(ArchiveError::Link { path: shown(), problem });
                }
                n_files += 1;
            }
            _ => return Err(ArchiveError::Special { path: shown() }),
        }
    }
    // What follows the end mark belongs to the checksum of the compression.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    if n_files == 0 {
        return Err(ArchiveError::Empty);
    }
    Ok(())
}

fn header_text(entry: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_HEADER_BYTES {
        return Err(io::Error::other(format!(
            "a header is longer than the limit of {MAX_HEADER_BYTES} bytes"
        )));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text)?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

/// Reads the lines `LENGTH KEY=VALUE` of a PAX header (POSIX.1-2001, pax).
fn read_attributes(mut text: &[u8], announced: &mut Announced) -> io::Result<()> {
    let bad = || io::Error::other("an extended header cannot be understood");
    while !text.is_empty() {
        let space = text.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length: usize =
            std::str::from_utf8(&text[..space]).ok().and_then(|it| it.parse().ok()).ok_or_else(bad)?;
        if length <= space + 1 || length > text.len() || text[length - 1] != b'\n' {
            return Err(bad());
        }
        let line = &text[space + 1..length - 1];
        let equals = line.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        match key {
            b"path" => announced.path = Some(value.to_vec()),
            b"linkpath" => announced.link = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|it| it.parse().ok());
                announced.size = Some(size.ok_or_else(bad)?);
            }
            key if key.starts_with(b"GNU.sparse") => {
                return Err(io::Error::other("it holds a sparse file"));
            }
            _ => {}
        }
        text = &text[length..];
    }
    Ok(())
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: R,
    count: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get() + length as u64);
        Ok(length)
    }
}

/// A limit's name, its value and what it counts.
type Exceeded = (&'static str, u64, &'static str);

/// Stops when more comes out than may.
struct Guarded<'a, R> {
    inner: R,
    packed: &'a Cell<u64>,
    unpacked: &'a Cell<u64>,
    limits: &'a ArchiveLimits,
    exceeded: &'a Cell<Option<Exceeded>>,
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let unpacked = self.unpacked.get() + length as u64;
        self.unpacked.set(unpacked);
        let exceeded = if unpacked > self.limits.unpacked_bytes {
            Some(("unpacked_bytes", self.limits.unpacked_bytes, "bytes"))
        } else if unpacked > RATIO_MATTERS_FROM && unpacked / self.packed.get().max(1) > self.limits.ratio {
            Some(("ratio", self.limits.ratio, "times its own size"))
        } else {
            None
        };
        if exceeded.is_some() {
            self.exceeded.set(exceeded);
            return Err(io::Error::other("a limit was reached"));
        }
        Ok(length)
    }
}
