//! The references of a repository, however they were obtained.

use crate::revision::CommitId;

/// A named commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The full name, such as `HEAD`, `refs/heads/main` or `refs/tags/v1`.
    pub name: String,
    /// The commit, of an annotated tag the one it leads to.
    pub commit: CommitId,
    /// The annotated tag that leads to the commit, where the reference is one.
    pub tag_object: Option<CommitId>,
    /// Where a symbolic reference points, such as `refs/heads/main` for `HEAD`.
    pub symbolic_target: Option<String>,
}

/// Turns what the protocol reports into references; those that lead nowhere yet are left out.
pub(crate) fn from_protocol(refs: Vec<gix::protocol::handshake::Ref>) -> Vec<Reference> {
    use gix::protocol::handshake::Ref;
    refs.into_iter()
        .filter_map(|reference| {
            let (name, id, tag, target) = match reference {
                Ref::Peeled { full_ref_name, object, tag } => (full_ref_name, object, Some(tag), None),
                Ref::Direct { full_ref_name, object } => (full_ref_name, object, None, None),
                Ref::Symbolic { full_ref_name, target, object, tag } => {
                    (full_ref_name, object, tag, Some(target))
                }
                Ref::Unborn { .. } => return None,
            };
            Some(Reference {
                name: name.to_string(),
                commit: CommitId::from_git(id)?,
                tag_object: tag.and_then(CommitId::from_git),
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
            references.push(Reference { name: "HEAD".into(), commit, tag_object: None, symbolic_target });
        }
    }
    for reference in repository.references()?.all()? {
        let Ok(mut reference) = reference else { continue };
        let name = reference.name().as_bstr().to_string();
        let unpeeled = reference.try_id().and_then(|id| CommitId::from_git(id.detach()));
        if let Ok(id) = reference.peel_to_id()
            && let Some(commit) = CommitId::from_git(id.detach())
        {
            let tag_object = unpeeled.filter(|id| *id != commit);
            references.push(Reference { name, commit, tag_object, symbolic_target: None });
        }
    }
    Ok(references)
}
