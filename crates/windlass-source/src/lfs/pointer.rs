//! Pointers: the small files that Git LFS leaves in a repository.

use crate::artifact::ContentDigest;

/// Longer files are no pointers (Git LFS specification, "The Pointer").
pub(super) const MAX_POINTER_BYTES: u64 = 1024;

/// What a file of the repository points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) digest: ContentDigest,
    pub(super) size: u64,
}

impl Pointer {
    /// Reads a pointer; `None` for every other file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 > MAX_POINTER_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("version ")?;
        if !matches!(version, "https://git-lfs.github.com/spec/v1" | "https://hawser.github.com/spec/v1") {
            return None;
        }
        let value = |key: &str| {
            lines.clone().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').map(str::trim))
        };
        let digest = value("oid")?.strip_prefix("sha256:")?.parse().ok()?;
        Some(Self { digest, size: value("size")?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_files() {
        let digest = "a".repeat(64);
        let pointer =
            |version: &str| format!("version {version}\noid sha256:{digest}\nsize 12345\n").into_bytes();
        let found = Pointer::parse(&pointer("https://git-lfs.github.com/spec/v1")).unwrap();
        assert_eq!((found.digest.hex(), found.size), (digest.clone(), 12345));
        let extended = format!(
            "version https://git-lfs.github.com/spec/v1\next-0-x sha256:{digest}\noid sha256:{digest}\nsize 1\n"
        );
        assert!(Pointer::parse(extended.as_bytes()).is_some());
        assert_eq!(Pointer::parse(&pointer("https://example.org/spec/v1")), None);
        for other in [
            &b""[..],
            b"version https://git-lfs.github.com/spec/v1\n",
            b"version https://git-lfs.github.com/spec/v1\noid md5:aa\nsize 1\n",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n",
            b"kind: ConfigMap\n",
            b"\xff\xfe",
        ] {
            assert_eq!(Pointer::parse(other), None);
        }
        let mut long = pointer("https://git-lfs.github.com/spec/v1");
        long.resize(2000, b'\n');
        assert_eq!(Pointer::parse(&long), None);
    }
}
