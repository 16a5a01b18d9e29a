//! What the bodies of pushes look like, as far as we read them.
//!
//! Shapes as of November 2026, from the hosts' documentation: GitHub "Webhook events and payloads: push", GitLab
//! "Webhook events: push and tag events", Gitea "Webhooks", Bitbucket Cloud "Event payloads: push", Bitbucket Data
//! Center "Event payload: repository push", Azure DevOps "Service hooks events: git.push".

use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Event, MAX_CHANGED_FILES, Provider, Push, WebhookError};
use crate::revision::CommitId;

/// Reads an authenticated body.
pub(super) fn read(provider: Provider, headers: &HeaderMap, body: &[u8]) -> Result<Event, WebhookError> {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_string();
    let pushes = match provider {
        Provider::GitHub | Provider::Gitea => {
            let names = ["x-gitea-event", "x-forgejo-event", "x-gogs-event", "x-github-event"];
            let event = names.into_iter().map(header).find(|event| !event.is_empty()).unwrap_or_default();
            if event != "push" {
                return Ok(Event::Ignored { event });
            }
            vec![parse::<HubPush>(provider, body)?.lower(provider)]
        }
        Provider::GitLab => {
            let event = header("x-gitlab-event");
            let push = match event.as_str() {
                "Push Hook" | "Tag Push Hook" => parse::<LabPush>(provider, body)?,
                // System hooks carry every kind of event.
                "System Hook" => {
                    let push = parse::<LabPush>(provider, body)?;
                    if !matches!(push.object_kind.as_str(), "push" | "tag_push") {
                        return Ok(Event::Ignored { event: push.object_kind });
                    }
                    push
                }
                _ => return Ok(Event::Ignored { event }),
            };
            vec![push.lower()]
        }
        Provider::BitbucketCloud => {
            let event = header("x-event-key");
            if event != "repo:push" {
                return Ok(Event::Ignored { event });
            }
            parse::<BucketPush>(provider, body)?.lower()
        }
        Provider::BitbucketServer => {
            let event = header("x-event-key");
            if !matches!(event.as_str(), "repo:refs_changed" | "mirror:repo_synchronized") {
                return Ok(Event::Ignored { event });
            }
            parse::<BucketServerPush>(provider, body)?.lower()
        }
        Provider::AzureDevOps => {
            let push = parse::<AzurePush>(provider, body)?;
            if push.event_type != "git.push" {
                return Ok(Event::Ignored { event: push.event_type });
            }
            push.lower()
        }
        Provider::Generic => vec![parse::<GenericPush>(provider, body)?.lower()],
    };
    if pushes.iter().any(|push| push.repositories.is_empty()) {
        return Err(WebhookError::Malformed { provider, reason: "it names no repository".into() });
    }
    Ok(Event::Push(pushes))
}

fn parse<T: DeserializeOwned>(provider: Provider, body: &[u8]) -> Result<T, WebhookError> {
    serde_json::from_slice(body)
        .map_err(|error| WebhookError::Malformed { provider, reason: error.to_string() })
}

/// An id as hosts write it: empty or all zeros for "nothing".
fn commit(text: Option<&str>) -> Option<CommitId> {
    text?.parse().ok().filter(|commit| *commit != CommitId::ZERO)
}

fn addresses(candidates: impl IntoIterator<Item = Option<String>>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for address in candidates.into_iter().flatten().filter(|address| !address.is_empty()) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    added: Option<Vec<String>>,
    #[serde(default)]
    modified: Option<Vec<String>>,
    #[serde(default)]
    removed: Option<Vec<String>>,
}

/// The files of all commits, or `None` when there are too many to be worth it.
fn changed_files(commits: Vec<Commit>) -> Option<Vec<String>> {
    let mut files: Vec<String> = Vec::new();
    for commit in commits {
        for list in [commit.added, commit.modified, commit.removed].into_iter().flatten() {
            files.extend(list);
            if files.len() > MAX_CHANGED_FILES {
                return None;
            }
        }
    }
    files.sort_unstable();
    files.dedup();
    Some(files)
}

/// GitHub, and Gitea in its image.
#[derive(Deserialize)]
struct HubPush {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    forced: bool,
    #[serde(default)]
    commits: Option<Vec<Commit>>,
    /// Gitea: how many commits there are, when it lists fewer.
    total_commits: Option<usize>,
    repository: HubRepository,
}

#[derive(Deserialize)]
struct HubRepository {
    html_url: Option<String>,
    clone_url: Option<String>,
    ssh_url: Option<String>,
    default_branch: Option<String>,
    /// Older pushes of GitHub name the default branch here.
    master_branch: Option<String>,
}

/// GitHub lists at most this many commits of a push.
const MAX_HUB_COMMITS: usize = 2048;

impl HubPush {
    fn lower(self, provider: Provider) -> Push {
        let (before, after) = (commit(self.before.as_deref()), commit(self.after.as_deref()));
        // Commits that a force-push takes away are not listed, nor are those before a new branch.
        let told = self.commits.filter(|commits| {
            !self.forced
                && before.is_some()
                && after.is_some()
                && commits.len() < MAX_HUB_COMMITS
                && self.total_commits.is_none_or(|total| total == commits.len())
        });
        let default_branch = self.repository.default_branch.or(self.repository.master_branch);
        Push {
            provider,
            is_default_branch: default_branch
                .map(|branch| self.reference.strip_prefix("refs/heads/") == Some(branch.as_str())),
            repositories: addresses([
                self.repository.html_url,
                self.repository.clone_url,
                self.repository.ssh_url,
            ]),
            reference: self.reference,
            before,
            after,
            changed_files: told.and_then(changed_files),
        }
    }
}

#[derive(Deserialize)]
struct LabPush {
    #[serde(default)]
    object_kind: String,
    #[serde(rename = "ref", default)]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    project: Option<LabProject>,
}

#[derive(Deserialize)]
struct LabProject {
    web_url: Option<String>,
    git_http_url: Option<String>,
    git_ssh_url: Option<String>,
    default_branch: Option<String>,
}

impl LabPush {
    fn lower(self) -> Push {
        let (before, after) = (commit(self.before.as_deref()), commit(self.after.as_deref()));
        let (urls, default_branch) = match self.project {
            Some(project) => {
                ([project.web_url, project.git_http_url, project.git_ssh_url], project.default_branch)
            }
            None => ([None, None, None], None),
        };
        Push {
            provider: Provider::GitLab,
            is_default_branch: default_branch
                .map(|branch| self.reference.strip_prefix("refs/heads/") == Some(branch.as_str())),
            repositories: addresses(urls),
            reference: self.reference,
            before,
            after,
            // GitLab lists the files of added commits, but not whether the push was forced and took others away.
            changed_files: None,
        }
    }
}

#[derive(Deserialize)]
struct BucketPush {
    push: BucketChanges,
    repository: BucketRepository,
}

#[derive(Deserialize)]
struct BucketChanges {
    #[serde(default)]
    changes: Vec<BucketChange>,
}

#[derive(Deserialize)]
struct BucketChange {
    new: Option<BucketRef>,
    old: Option<BucketRef>,
}

#[derive(Deserialize)]
struct BucketRef {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: String,
    target: Option<BucketTarget>,
}

#[derive(Deserialize)]
struct BucketTarget {
    hash: Option<String>,
}

#[derive(Deserialize)]
struct BucketRepository {
    links: BucketLinks,
    mainbranch: Option<BucketBranch>,
}

#[derive(Deserialize)]
struct BucketBranch {
    name: String,
}

#[derive(Deserialize)]
struct BucketLinks {
    html: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}

impl BucketPush {
    fn lower(self) -> Vec<Push> {
        let repositories = addresses([self.repository.links.html.map(|link| link.href)]);
        let main = self.repository.mainbranch.map(|branch| branch.name);
        let commit_of = |side: &Option<BucketRef>| {
            side.as_ref().and_then(|side| commit(side.target.as_ref()?.hash.as_deref()))
        };
        self.push
            .changes
            .into_iter()
            .filter_map(|change| {
                let (before, after) = (commit_of(&change.old), commit_of(&change.new));
                let named = change.new.or(change.old)?;
                let is_tag = named.kind.as_deref() == Some("tag");
                let folder = if is_tag { "tags" } else { "heads" };
                Some(Push {
                    provider: Provider::BitbucketCloud,
                    repositories: repositories.clone(),
                    is_default_branch: if is_tag {
                        Some(false)
                    } else {
                        main.as_ref().map(|main| *main == named.name)
                    },
                    reference: format!("refs/{folder}/{}", named.name),
                    before,
                    after,
                    changed_files: None,
                })
            })
            .collect()
    }
}

#[derive(Deserialize)]
struct BucketServerPush {
    repository: BucketServerRepository,
    #[serde(default)]
    changes: Vec<BucketServerChange>,
}

#[derive(Deserialize)]
struct BucketServerRepository {
    links: Option<BucketServerLinks>,
}

#[derive(Deserialize)]
struct BucketServerLinks {
    #[serde(default)]
    clone: Vec<Link>,
    #[serde(default, rename = "self")]
    pages: Vec<Link>,
}

#[derive(Deserialize)]
struct BucketServerChange {
    #[serde(rename = "ref")]
    reference: BucketServerRef,
    #[serde(rename = "fromHash")]
    from_hash: Option<String>,
    #[serde(rename = "toHash")]
    to_hash: Option<String>,
}

#[derive(Deserialize)]
struct BucketServerRef {
    id: String,
}

impl BucketServerPush {
    fn lower(self) -> Vec<Push> {
        let links = self.repository.links.map(|links| links.clone.into_iter().chain(links.pages));
        let repositories = addresses(links.into_iter().flatten().map(|link| Some(link.href)));
        self.changes
            .into_iter()
            .map(|change| Push {
                provider: Provider::BitbucketServer,
                repositories: repositories.clone(),
                is_default_branch: change.reference.id.starts_with("refs/tags/").then_some(false),
                reference: change.reference.id,
                before: commit(change.from_hash.as_deref()),
                after: commit(change.to_hash.as_deref()),
                changed_files: None,
            })
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzurePush {
    event_type: String,
    resource: Option<AzureResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureResource {
    #[serde(default)]
    ref_updates: Vec<AzureUpdate>,
    repository: Option<AzureRepository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureUpdate {
    name: String,
    old_object_id: Option<String>,
    new_object_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureRepository {
    remote_url: Option<String>,
    ssh_url: Option<String>,
    default_branch: Option<String>,
}

impl AzurePush {
    fn lower(self) -> Vec<Push> {
        let Some(resource) = self.resource else { return Vec::new() };
        let (repositories, default_branch) = match resource.repository {
            Some(repository) => {
                (addresses([repository.remote_url, repository.ssh_url]), repository.default_branch)
            }
            None => (Vec::new(), None),
        };
        resource
            .ref_updates
            .into_iter()
            .map(|update| Push {
                provider: Provider::AzureDevOps,
                repositories: repositories.clone(),
                is_default_branch: default_branch.as_ref().map(|branch| *branch == update.name),
                before: commit(update.old_object_id.as_deref()),
                after: commit(update.new_object_id.as_deref()),
                reference: update.name,
                changed_files: None,
            })
            .collect()
    }
}

#[derive(Deserialize)]
struct GenericPush {
    repository: OneOrMany,
    #[serde(rename = "ref", default)]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    files: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl GenericPush {
    fn lower(self) -> Push {
        let repositories = match self.repository {
            OneOrMany::One(address) => vec![address],
            OneOrMany::Many(addresses) => addresses,
        };
        Push {
            provider: Provider::Generic,
            repositories: addresses(repositories.into_iter().map(Some)),
            reference: self.reference,
            before: commit(self.before.as_deref()),
            after: commit(self.after.as_deref()),
            changed_files: self.files.filter(|files| files.len() <= MAX_CHANGED_FILES),
            is_default_branch: None,
        }
    }
}
