//! What sources name by addresses, as far as it decides whether a render can be used again.

use windlass_kube::Str;

/// Knows what was fetched for a render, by addresses in words of its own.
///
/// The words tell an address from every other one; the same words mean the same address to everyone who shares a
/// [`RenderCache`](crate::RenderCache). What is at an address has an identity: a commit, a digest. An identity is never
/// given to other content.
pub trait Elsewhere: Send + Sync {
    /// The identity of what is at an address, for one who may read it; `None` where it is not here.
    fn identity(&self, address: &str) -> Option<Str>;

    /// What was asked for since the last call.
    fn take_asked(&self) -> Asked;
}

/// What a render asked for by addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What it got: addresses and identities, sorted.
    pub had: Vec<(Str, Str)>,
    /// Whether something was not here and is being fetched: the render is to be done again once it is.
    pub pending: bool,
    /// Whether something could not be fetched: whoever fetches tries again, and says when.
    pub failed: bool,
}

/// What a result depends on beside the trees it was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing was fetched by an address.
    #[default]
    Nothing,
    /// What is at these addresses, as long as it has these identities.
    Known(Box<[(Str, Str)]>),
    /// Something that nobody can tell from what may be there the next time: not to be used again.
    Unknown,
}

impl Fetched {
    /// Whether all of it is as it was.
    pub(crate) fn holds(&self, elsewhere: Option<&dyn Elsewhere>) -> bool {
        match (self, elsewhere) {
            (Self::Nothing, _) => true,
            (Self::Known(fetched), Some(elsewhere)) => fetched
                .iter()
                .all(|(address, identity)| elsewhere.identity(address).as_ref() == Some(identity)),
            (Self::Known(_), None) | (Self::Unknown, _) => false,
        }
    }
}
