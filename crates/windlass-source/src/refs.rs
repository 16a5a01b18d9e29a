//! The references of a repository, however they were obtained.

use crate::revision::CommitId;

/// A named commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The full name, such as `HEAD`, `refs/heads/main` or `refs/tags/v1`.
    pub name: String,
    /// The commit, of an annotated tag the one it leads to.
    pub commit: CommitId,
    /// Where a symbolic reference points, such as `refs/heads/main` for `HEAD`.
    pub symbolic_target: Option<String>,
}

/// Turns what the protocol reports into references; those that lead nowhere yet are left out.
pub(crate) fn from_protocol(refs: Vec<gix::protocol::handshake::Ref>) -> Vec<Reference> {
    use gix::protocol::handshake::Ref;
    refs.into_iter()
        .filter_map(|reference| {
            let (name, id, target) = match reference {
                Ref::Peeled { full_ref_name, object, .. } | Ref::Direct { full_ref_name, object } => {
                    (full_ref_name, object, None)
                }
                Ref::Symbolic { full_ref_name, target, object, .. } => (full_ref_name, object, Some(target)),
                Ref::Unborn { .. } => return None,
            };
            Some(Reference {
                name: name.to_string(),
                commit: CommitId::from_git(id)?,
                symbolic_target: target.map(|target| target.to_string()),
            })
        })
        .collect()
}

/// The references of a repository on this machine.
pub(crate) fn from_local(repository: &gix::Repository) -> gix::Result<Vec<Reference>> {
    let mut references = Vec::new();
    if let Ok(head) = repository.head()
        && let Some(mut name) = Some(head)
    {
        let symbolic_target = name.referent_name().map(|target| target.as_bstr().to_string());
        if let Ok(Some(id)) = name.try_peel_to_id()
            && let Some(commit) = CommitId::from_git(id.detach())
        {
            references.push(Reference { name: "HEAD".into(), commit, symbolic_target });
        }
    }
    for reference in repository.references()?.all()? {
        let Ok(mut reference) = reference else { continue };
        let name = reference.name().as_bstr().to_string();
        if let Ok(id) = reference.peel_to_id()
            && let Some(commit) = CommitId::from_git(id.detach())
        {
            references.push(Reference { name, commit, symbolic_target: None });
        }
    }
    Ok(references)
}
