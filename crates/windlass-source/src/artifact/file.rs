//! One file at an address, read whole.

use super::hub::ArtifactStore;
use super::url::ArtifactUrl;
use super::web::{Question, authorization};
use crate::credentials::Access;
use crate::error::SourceError;
use crate::identity::Purpose;

/// What a server answered to the question for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAnswer {
    /// The file.
    Found(Vec<u8>),
    /// A status other than success, with its words: `404`, `Not Found`.
    Status(u16, &'static str),
}

impl ArtifactStore {
    /// Reads what is at an address. Redirects are followed by the rules that hold for artifacts; nothing is kept.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when policy forbids the address, the server does not answer, or the file is larger than
    /// `limit` bytes.
    pub fn file(&self, url: &ArtifactUrl, access: &Access, limit: u64) -> Result<FileAnswer, SourceError> {
        let shown = url.to_string();
        let mut question = Question::get(&shown, access, url.web().clone());
        question.authorization = authorization(self.web(), url, access, Purpose::Other)?;
        let reply = self.web().ask(question)?;
        let status = reply.status();
        if !status.is_success() {
            return Ok(FileAnswer::Status(status.as_u16(), status.canonical_reason().unwrap_or_default()));
        }
        reply.bytes(&shown, "file_bytes", limit).map(FileAnswer::Found)
    }
}
