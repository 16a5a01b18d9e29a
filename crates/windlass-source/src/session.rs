//! One conversation with a remote repository: list references, fetch a pack of exactly the commits wanted.

use std::io::{self, BufRead, Read};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::protocol::fetch::negotiate::{Action, Round, one_round};
use gix::protocol::fetch::{Arguments, Negotiate, Response, Shallow, Tags};
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::{Protocol, Service};
use gix::protocol::{Handshake, LsRefsCommand};

use crate::error::{Message, SourceError, is_disk_full};
use crate::refs::{self, Reference};
use crate::revision::CommitId;
use crate::transport::{FailureSlot, flatten};
use crate::url::RepositoryUrl;

/// How we name ourselves inside the protocol.
const AGENT: &str = concat!("windlass/", env!("CARGO_PKG_VERSION"));

/// Largest single allocation while a pack is unpacked: a file larger than this is no manifest.
const MAX_ALLOCATION_BYTES: usize = 512 * 1024 * 1024;

/// A conversation in progress.
pub(crate) struct Session {
    repository: RepositoryUrl,
    transport: Box<dyn Transport>,
    handshake: Handshake,
    failure: FailureSlot,
}

/// What is wanted of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The commit and its files, none of its history.
    Files,
    /// The commit and its history, no files.
    History,
    /// The commit, or the tag and the commit that it leads to: neither files nor history.
    Alone,
    /// The commit and its folders, none of its files nor history.
    Folders,
    /// What is named, which are files.
    Named,
}

/// What a fetch may use and where it puts things.
pub(crate) struct FetchInto<'a> {
    /// The bare repository's folder.
    pub(crate) git_dir: &'a Path,
    /// A handle on it, for the bases of thin packs.
    pub(crate) objects: gix::Repository,
    /// Commits that are there with all they contain.
    pub(crate) haves: &'a [CommitId],
    /// Most bytes accepted.
    pub(crate) limit: u64,
    /// Set when the program shuts down.
    pub(crate) interrupt: &'a AtomicBool,
}

impl Session {
    /// Greets the server.
    pub(crate) fn start(
        repository: &RepositoryUrl,
        mut transport: Box<dyn Transport>,
        failure: FailureSlot,
    ) -> Result<Self, SourceError> {
        let handshake = gix::protocol::handshake(
            &mut transport,
            Service::UploadPack,
            // Credentials are the transport's business; gix has none to offer.
            |_action| Ok(None),
            Vec::new(),
            &mut gix::progress::Discard,
        )
        .map_err(|error| failure.explain(repository, &error))?;
        Ok(Self { repository: repository.clone(), transport, handshake, failure })
    }

    /// Lists the references that begin with one of `prefixes`; an older server sends all it has.
    pub(crate) fn list(&mut self, prefixes: &[String]) -> Result<Vec<Reference>, SourceError> {
        if let Some(refs) = &self.handshake.refs {
            return Ok(refs::from_protocol(refs.clone()));
        }
        let mut wanted = RefPrefixes::new();
        wanted.extend(prefixes.iter().map(|prefix| prefix.as_str().into()));
        let command = LsRefsCommand::new(Some(wanted), &self.handshake.capabilities, agent());
        let listed = command
            .invoke_blocking(&mut self.transport, &mut gix::progress::Discard, false)
            .map_err(|error| self.failure.explain(&self.repository, &error))?;
        Ok(refs::from_protocol(listed))
    }

    /// Whether the server can leave out what we name.
    pub(crate) fn can_filter(&self) -> bool {
        self.handshake.server_protocol_version == Protocol::V2
            && self
                .handshake
                .capabilities
                .capability("fetch")
                .is_some_and(|fetch| fetch.supports("filter").unwrap_or(false))
    }

    /// Fetches `wants`, and installs the pack.
    pub(crate) fn fetch(
        &mut self,
        wants: &[CommitId],
        content: Content,
        into: &FetchInto<'_>,
    ) -> Result<(), SourceError> {
        let can_be_shallow = self.handshake.server_protocol_version != Protocol::V2
            && self.handshake.capabilities.contains("shallow")
            || self
                .handshake
                .capabilities
                .capability("fetch")
                .is_some_and(|fetch| fetch.supports("shallow").unwrap_or(false));
        let shallow = if can_be_shallow && !matches!(content, Content::History | Content::Named) {
            Shallow::DepthAtRemote(NonZeroU32::MIN)
        } else {
            Shallow::NoChange
        };
        let mut negotiation = Wants { wants, haves: into.haves, content };
        let pack_dir = into.git_dir.join("objects").join("pack");
        let mut too_large = false;
        let mut installed = None;
        let outcome = gix::protocol::fetch(
            &mut negotiation,
            |reader, progress, interrupt| {
                let mut limited = Limited { inner: reader, left: into.limit, exceeded: false };
                let result = gix::odb::pack::Bundle::write_to_directory(
                    &mut limited,
                    Some(&pack_dir),
                    progress,
                    interrupt,
                    Some(into.objects.objects.clone()),
                    gix::hash::Kind::Sha1,
                    gix::odb::pack::bundle::write::Options {
                        alloc_limit_bytes: Some(MAX_ALLOCATION_BYTES),
                        ..Default::default()
                    },
                );
                too_large = limited.exceeded;
                installed = Some(result?);
                Ok(true)
            },
            gix::progress::Discard,
            into.interrupt,
            gix::protocol::fetch::Context {
                handshake: &mut self.handshake,
                transport: &mut self.transport,
                user_agent: agent(),
                trace_packetlines: false,
            },
            gix::protocol::fetch::Options {
                shallow_file: into.git_dir.join("shallow"),
                shallow: &shallow,
                tags: Tags::None,
                reject_shallow_remote: false,
            },
        );
        match outcome {
            Ok(_) => {
                for path in installed.iter().flat_map(|pack| [&pack.data_path, &pack.index_path]).flatten() {
                    sync(path)?;
                }
                // The keep file guards a pack that no reference names yet; nothing collects garbage here.
                if let Some(keep) = installed.and_then(|pack| pack.keep_path) {
                    let _ = std::fs::remove_file(keep);
                }
                sync(&pack_dir)
            }
            Err(_) if too_large => {
                Err(SourceError::TooLarge { repository: self.repository.to_string(), limit: into.limit })
            }
            Err(_) if into.interrupt.load(Ordering::Relaxed) => {
                Err(SourceError::Cancelled { repository: self.repository.to_string() })
            }
            Err(error) => Err(self.explain_fetch(&error, wants, &pack_dir)),
        }
    }

    fn explain_fetch(&self, error: &gix::Error, wants: &[CommitId], folder: &Path) -> SourceError {
        let repository = self.repository.to_string();
        let io_errors = || error.iter_errors().filter_map(|part| part.downcast_ref::<io::Error>());
        if io_errors().any(is_disk_full) {
            return SourceError::DiskFull { repository, folder: folder.to_path_buf() };
        }
        // Git's own words (upload-pack.c), which every server based on it repeats.
        let text = flatten(error);
        let missing = wants.iter().find(|want| text.contains(&want.to_string()));
        if (text.contains("not our ref") || text.contains("unadvertised object"))
            && let Some(commit) = missing.or(wants.first())
        {
            return SourceError::CommitNotFound { repository, commit: *commit };
        }
        self.failure.explain(&self.repository, error)
    }
}

fn agent() -> gix::protocol::command::Feature {
    ("agent", Some(AGENT.into()))
}

fn sync(path: &Path) -> Result<(), SourceError> {
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| SourceError::store("write to disk", path, error))
}

/// Asks for all wants at once and says what is there; the server works out the difference in one round.
struct Wants<'a> {
    wants: &'a [CommitId],
    haves: &'a [CommitId],
    content: Content,
}

impl Negotiate for Wants<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        Ok(Action::MustNegotiate { remote_ref_target_known: Vec::new() })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _remote_ref_target_known: &[bool]) -> bool {
        for want in self.wants {
            arguments.want(want.to_git());
        }
        let filter = match self.content {
            Content::Files | Content::Named => None,
            Content::Folders => Some("blob:none"),
            Content::History | Content::Alone => Some("tree:0"),
        };
        if let Some(filter) = filter.filter(|_| arguments.can_use_filter()) {
            arguments.filter(filter);
        }
        !self.wants.is_empty()
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        arguments: &mut Arguments,
        _previous_response: Option<&Response>,
    ) -> gix::Result<(Round, bool)> {
        for have in self.haves {
            arguments.have(have.to_git());
        }
        let haves = self.haves.len();
        Ok((
            Round {
                haves_sent: haves,
                in_vain: 0,
                haves_to_send: haves,
                previous_response_had_at_least_one_in_common: false,
            },
            true,
        ))
    }
}

/// Stops a pack that grows beyond the limit.
struct Limited<'a> {
    inner: &'a mut dyn BufRead,
    left: u64,
    exceeded: bool,
}

impl Limited<'_> {
    fn fail(&mut self) -> io::Error {
        self.exceeded = true;
        io::Error::other(Message("the pack is larger than allowed".into()))
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read as u64 > self.left {
            return Err(self.fail());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl BufRead for Limited<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 && !self.inner.fill_buf()?.is_empty() {
            return Err(self.fail());
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let buffer = self.inner.fill_buf()?;
        Ok(&buffer[..buffer.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}
