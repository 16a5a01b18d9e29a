//! Which addresses may be fetched from at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};

use crate::url::{RepositoryUrl, Scheme};

/// Which schemes and hosts a user-supplied address may name.
///
/// The default suits a server that many people give addresses to: https, http and ssh, no local paths, and no host
/// that only this machine can reach. Addresses are checked three times: as written, as redirected to, and as
/// resolved by DNS just before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The schemes allowed.
    pub schemes: Vec<Scheme>,
    /// Whether loopback, link-local and metadata addresses may be reached.
    pub internal_hosts: bool,
    /// Hosts that may be reached although they are internal: exact names or addresses.
    pub exempt_hosts: Vec<String>,
    /// Whether who configures credentials may have programs run, files read and the machine's own identity used for
    /// tokens. Never by default: all three act as Windlass itself.
    pub local_logins: bool,
    /// Folders of this machine that may be sources although they are no repositories, with all that is below them. None by
    /// default: whoever may name one reads with the rights of Windlass.
    pub folders: Vec<PathBuf>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            schemes: vec![Scheme::Https, Scheme::Http, Scheme::Ssh],
            internal_hosts: false,
            exempt_hosts: Vec::new(),
            local_logins: false,
            folders: Vec::new(),
        }
    }
}

/// Why an address may not be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The scheme is not allowed.
    #[error("policy does not allow {scheme} repositories")]
    Scheme {
        /// The scheme.
        scheme: Scheme,
    },
    /// The host is this machine, a neighbour or a metadata service.
    #[error("policy does not allow the host {host}, a loopback, link-local or metadata address")]
    InternalHost {
        /// The host as named, or the address it resolves to.
        host: String,
    },
}

/// Addresses outside the link-local ranges where clouds answer with credentials: Alibaba Cloud, Azure's wire server,
/// and Amazon's IPv6 endpoint.
const METADATA_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Names under which clouds serve metadata.
const METADATA_NAMES: [&str; 3] = ["metadata", "metadata.google.internal", "instance-data"];

impl Policy {
    /// A policy for one's own machine: local paths and internal hosts are fine, programs for
    /// credentials are not.
    #[must_use]
    pub fn trusting() -> Self {
        Self {
            schemes: vec![Scheme::Https, Scheme::Http, Scheme::Ssh, Scheme::Local],
            internal_hosts: true,
            exempt_hosts: Vec::new(),
            local_logins: false,
            folders: vec![PathBuf::from("/")],
        }
    }

    /// Whether the folder at `path` may be a source as it is.
    ///
    /// Links on the way to it are followed first. Of what is not there only the text counts, so nobody learns from the answer
    /// what else this machine has.
    #[must_use]
    pub fn allows_folder(&self, path: &Path) -> bool {
        let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        let is_below = |path: &Path| {
            let real = |folder: &Path| folder.canonicalize().is_ok_and(|folder| path.starts_with(folder));
            self.folders.iter().any(|folder| path.starts_with(folder) || real(folder))
        };
        match path.canonicalize() {
            Ok(path) => is_below(&path),
            Err(_) => path.is_absolute() && path.components().all(is_plain) && is_below(path),
        }
    }

    /// Whether `url` may be fetched from, as far as its text tells.
    ///
    /// # Errors
    ///
    /// [`Refused`] names the scheme or host.
    pub fn check(&self, url: &RepositoryUrl) -> Result<(), Refused> {
        if !self.schemes.contains(&url.scheme()) {
            return Err(Refused::Scheme { scheme: url.scheme() });
        }
        if url.scheme() == Scheme::Local { Ok(()) } else { self.check_host(url.host()) }
    }

    /// Whether a host may be reached, as far as its name tells.
    ///
    /// # Errors
    ///
    /// [`Refused::InternalHost`].
    pub fn check_host(&self, host: &str) -> Result<(), Refused> {
        let plain = host.trim_end_matches('.').to_ascii_lowercase();
        if self.internal_hosts || self.is_exempt(&plain) {
            return Ok(());
        }
        let internal = match plain.parse::<IpAddr>() {
            Ok(address) => is_internal(address),
            Err(_) => {
                plain == "localhost"
                    || plain.ends_with(".localhost")
                    || METADATA_NAMES.contains(&plain.as_str())
                    // Numbers that resolvers read as IPv4 addresses: 127.1, 2130706433, 0x7f.1.
                    || plain.split('.').all(is_legacy_number)
            }
        };
        if internal { Err(Refused::InternalHost { host: host.to_string() }) } else { Ok(()) }
    }

    /// Whether an address that `host` resolved to may be connected to.
    ///
    /// # Errors
    ///
    /// [`Refused::InternalHost`].
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.internal_hosts
            || self.is_exempt(host)
            || self.is_exempt(&address.to_string())
            || !is_internal(address)
        {
            return Ok(());
        }
        Err(Refused::InternalHost { host: format!("{host} ({address})") })
    }

    fn is_exempt(&self, host: &str) -> bool {
        self.exempt_hosts.iter().any(|exempt| exempt.eq_ignore_ascii_case(host))
    }
}

fn is_legacy_number(part: &str) -> bool {
    !part.is_empty()
        && (part.bytes().all(|byte| byte.is_ascii_digit())
            || part.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

fn is_internal(address: IpAddr) -> bool {
    if METADATA_ADDRESSES.contains(&address) {
        return true;
    }
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.octets()[0] == 0
                || v4.is_multicast()
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // ::ffff:a.b.c.d, and 64:ff9b::a.b.c.d of NAT64: both reach an IPv4 address.
            let translated =
                segments[..6] == [0, 0, 0, 0, 0, 0xffff] || segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
            if translated || (segments[..6] == [0; 6] && !v6.is_loopback() && !v6.is_unspecified()) {
                let [.., high, low] = segments;
                let v4 = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
                return is_internal(IpAddr::V4(v4));
            }
            v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || (segments[0] & 0xffc0) == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_keeps_to_the_outside() {
        let policy = Policy::default();
        for (url, allowed) in [
            ("https://github.com/a/b", true),
            ("git@github.com:a/b", true),
            ("http://10.1.2.3/a/b", true),
            ("https://127.0.0.1/a", false),
            ("https://127.1/a", false),
            ("https://2130706433/a", false),
            ("https://0x7f.0.0.1/a", false),
            ("https://[::1]/a", false),
            ("https://[::ffff:127.0.0.1]/a", false),
            ("https://[fe80::1]/a", false),
            ("https://localhost/a", false),
            ("https://api.localhost/a", false),
            ("https://localhost./a", false),
            ("http://169.254.169.254/latest", false),
            ("http://metadata.google.internal/a", false),
            ("http://0.0.0.0/a", false),
            ("git@localhost:a/b", false),
            ("/srv/a", false),
            ("file:///srv/a", false),
        ] {
            assert_eq!(policy.check(&url.parse().unwrap()).is_ok(), allowed, "{url}");
            assert!(Policy::trusting().check(&url.parse().unwrap()).is_ok(), "{url}");
        }
    }

    #[test]
    fn folders_are_sources_only_below_those_that_are_named() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        for folder in ["open/app", "closed", "open/deep"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("closed"), root.join("open/leads-out")).unwrap();
        std::os::unix::fs::symlink(root.join("open"), root.join("same")).unwrap();
        let policy = Policy { folders: vec![root.join("same")], ..Policy::default() };
        for (path, allowed) in [
            ("open", true),
            ("open/app", true),
            ("same/app", true),
            ("open/not-there-yet", true),
            ("open/../closed", false),
            ("open/not-there/../../closed", false),
            ("open/leads-out", false),
            ("openly", false),
            ("closed", false),
            ("", false),
        ] {
            assert_eq!(policy.allows_folder(&root.join(path)), allowed, "{path}");
            assert!(!Policy::default().allows_folder(&root.join(path)), "{path}");
        }
        assert!(!policy.allows_folder(Path::new("open/app")));
        assert!(Policy::trusting().allows_folder(&root));
    }

    #[test]
    fn a_name_that_resolves_inside_is_refused_unless_exempt() {
        let mut policy = Policy::default();
        let inside = IpAddr::from([127, 0, 0, 1]);
        assert!(policy.check_address("git.example.org", inside).is_err());
        assert!(policy.check_address("git.example.org", IpAddr::from([93, 184, 216, 34])).is_ok());
        policy.exempt_hosts.push("git.example.org".into());
        assert!(policy.check_address("git.example.org", inside).is_ok());
    }
}
