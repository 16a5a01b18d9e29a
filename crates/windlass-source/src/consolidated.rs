//! One pack out of many: what a database becomes when every lookup has too many packs to try.
//!
//! An entry of a pack that is a difference names its base by the distance to it or by its id. So the entries of several packs,
//! written one after the other, are a pack again: nothing is unpacked, and no object is held in memory. What is in several of
//! them is there several times, and the index names one.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::Kind;
use gix::odb::pack::index;

/// Before the entries stand `PACK`, the version and their number (gitformat-pack).
const HEADER_BYTES: u64 = 12;

/// After them stands the SHA-1 of all before it.
const TRAILER_BYTES: u64 = 20;

const SIGNATURE: &[u8; 4] = b"PACK";
const VERSION: u32 = 2;
const INDEX_SIGNATURE: &[u8; 4] = b"\xfftOc";

/// Offsets from here on stand in a table of their own.
const LARGE_OFFSET: u64 = 1 << 31;

/// What an index says of an object.
struct Indexed {
    id: ObjectId,
    offset: u64,
    checksum: u32,
}

/// Writes the entries of all packs of a folder into one pack in `to`, with its index, and has both on disk.
///
/// # Errors
///
/// When a pack cannot be read, or is not what it was when it was written; or one cannot be written.
pub(crate) fn write_one_pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut packs: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            packs.push(path);
        }
    }
    packs.sort();
    let (mut objects, mut end) = (Vec::new(), HEADER_BYTES);
    for pack in &packs {
        let index =
            index::File::at(pack.with_extension("idx"), Kind::Sha1).map_err(|error| broken(&error))?;
        let moved_by = end - HEADER_BYTES;
        objects.extend(index.iter().map(|entry| Indexed {
            id: entry.oid,
            offset: entry.pack_offset + moved_by,
            checksum: entry.crc32.unwrap_or_default(),
        }));
        end += entries_of(fs::metadata(pack)?.len())?;
    }
    objects.sort_by_key(|object| object.id);
    // Who looks for a short id would find it ambiguous otherwise.
    objects.dedup_by_key(|object| object.id);
    let count = u32::try_from(objects.len()).map_err(|_| io::Error::other("too many objects"))?;

    let unnamed = to.join("consolidated.tmp");
    let mut out = Hashing::new(BufWriter::new(File::create(&unnamed)?));
    // Git, too, compares this number with that of the index.
    out.write_all(SIGNATURE)?;
    out.write_all(&VERSION.to_be_bytes())?;
    out.write_all(&count.to_be_bytes())?;
    for pack in &packs {
        copy_entries(pack, &mut out)?;
    }
    let digest = out.finish()?;
    let pack = to.join(format!("pack-{digest}.pack"));
    write_index(&pack.with_extension("idx"), &objects, &digest)?;
    fs::rename(&unnamed, &pack)?;
    File::open(to)?.sync_all()
}

/// How many bytes of a pack of this length are entries.
fn entries_of(length: u64) -> io::Result<u64> {
    length.checked_sub(HEADER_BYTES + TRAILER_BYTES).ok_or_else(|| damaged("is too short"))
}

/// Copies the entries of a pack, and compares what was read with its digest.
fn copy_entries(pack: &Path, out: &mut impl Write) -> io::Result<()> {
    let file = File::open(pack)?;
    let length = entries_of(file.metadata()?.len())?;
    let mut input = Hashing::new(BufReader::new(file));
    let mut header = [0; HEADER_BYTES as usize];
    input.read_exact(&mut header)?;
    if header[..4] != *SIGNATURE || header[4..8] != VERSION.to_be_bytes() {
        return Err(damaged("is of another version"));
    }
    if io::copy(&mut (&mut input).take(length), out)? != length {
        return Err(damaged("is cut"));
    }
    let (found, mut rest) = input.digest()?;
    let mut trailer = [0; TRAILER_BYTES as usize];
    rest.read_exact(&mut trailer)?;
    if found.as_slice() == trailer { Ok(()) } else { Err(damaged("is not what was stored")) }
}

/// Writes an index of version 2 (gitformat-pack) for objects that are sorted by their ids.
fn write_index(path: &Path, objects: &[Indexed], pack: &ObjectId) -> io::Result<()> {
    let mut out = Hashing::new(BufWriter::new(File::create(path)?));
    out.write_all(INDEX_SIGNATURE)?;
    out.write_all(&VERSION.to_be_bytes())?;
    for first in 0..=u8::MAX {
        let up_to = objects.partition_point(|object| object.id.first_byte() <= first);
        out.write_all(&number(up_to)?.to_be_bytes())?;
    }
    for object in objects {
        out.write_all(object.id.as_slice())?;
    }
    for object in objects {
        out.write_all(&object.checksum.to_be_bytes())?;
    }
    let mut large = Vec::new();
    for object in objects {
        let place = match u32::try_from(object.offset) {
            Ok(offset) if object.offset < LARGE_OFFSET => offset,
            _ => {
                large.push(object.offset);
                number(large.len() - 1)? | 1 << 31
            }
        };
        out.write_all(&place.to_be_bytes())?;
    }
    for offset in large {
        out.write_all(&offset.to_be_bytes())?;
    }
    out.write_all(pack.as_slice())?;
    out.finish()?;
    Ok(())
}

fn number(count: usize) -> io::Result<u32> {
    u32::try_from(count).map_err(|_| io::Error::other("too many objects"))
}

fn damaged(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a pack {problem}"))
}

fn broken(error: &gix::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, crate::transport::flatten(error))
}

/// Passes on what is read or written, and hashes it.
struct Hashing<T> {
    inner: T,
    hasher: gix::hash::Hasher,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Self { inner, hasher: gix::hash::hasher(Kind::Sha1) }
    }

    /// The digest so far, and what is passed to.
    fn digest(self) -> io::Result<(ObjectId, T)> {
        let digest = self.hasher.try_finalize().map_err(|error| io::Error::other(error.to_string()))?;
        Ok((digest, self.inner))
    }
}

impl Hashing<BufWriter<File>> {
    /// Writes the digest of all that was written behind it, and has it on disk.
    fn finish(self) -> io::Result<ObjectId> {
        let (digest, mut out) = self.digest()?;
        out.write_all(digest.as_slice())?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(digest)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
