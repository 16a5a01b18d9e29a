//! How sources of a project must be signed: `sourceIntegrity`, and the older `signatureKeys`.

use windlass_go::glob::Gobwas;
use windlass_kube::Str;
use windlass_model::SignatureRule;

use crate::types::ProjectSpec;

/// The rules of a project, as Argo CD 3.6 reads them (`util/sourceintegrity`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Integrity(Box<[Policy]>);

#[derive(Clone, Debug)]
struct Policy {
    /// Patterns, with whether each excludes.
    repositories: Box<[(bool, Option<Gobwas>)]>,
    /// `None` where a policy asks for nothing.
    gpg: Option<(Str, Box<[Str]>)>,
}

impl Integrity {
    pub(crate) fn read(spec: &ProjectSpec) -> Self {
        // Beside rules of the newer form the older keys do not count.
        if let Some(git) = spec.source_integrity.as_ref().and_then(|integrity| integrity.git.as_ref()) {
            let policy = |policy: &crate::types::GitIntegrityPolicy| Policy {
                repositories: policy.repos.iter().map(|repository| pattern(&repository.url)).collect(),
                gpg: policy.gpg.as_ref().map(|gpg| (gpg.mode.clone(), gpg.keys.clone())),
            };
            return Self(git.policies.iter().map(policy).collect());
        }
        if spec.signature_keys.is_empty() {
            return Self::default();
        }
        let keys = spec.signature_keys.iter().map(|key| key.key_id.clone()).collect();
        Self([Policy { repositories: [pattern("*")].into(), gpg: Some(("head".into(), keys)) }].into())
    }

    pub(crate) fn rule(&self, repository: &str) -> Result<Option<SignatureRule>, String> {
        let matching: Vec<_> = self.0.iter().filter(|policy| policy.matches(repository)).collect();
        let policy = match matching.as_slice() {
            [] => return Ok(None),
            [policy] => policy,
            several => {
                let count = several.len();
                return Err(format!(
                    "multiple ({count}) git source integrity policies found for repo URL: {repository}"
                ));
            }
        };
        let Some((mode, keys)) = &policy.gpg else { return Ok(None) };
        let history = match mode.as_str() {
            "none" => return Ok(None),
            "head" => false,
            "strict" => true,
            other => return Err(format!("unknown GPG mode {other:?} configured for GIT source integrity")),
        };
        Ok(Some(SignatureRule { history, keys: keys.iter().filter_map(key_id).collect() }))
    }
}

impl Policy {
    fn matches(&self, repository: &str) -> bool {
        let matches = |glob: &Option<Gobwas>| glob.as_ref().is_some_and(|glob| glob.is_match(repository));
        let any = |excludes: bool| {
            self.repositories.iter().any(|(is_exclusion, glob)| *is_exclusion == excludes && matches(glob))
        };
        any(false) && !any(true)
    }
}

fn pattern(text: &str) -> (bool, Option<Gobwas>) {
    // Without separators: `*` also matches slashes, as Argo CD has it.
    match text.strip_prefix('!') {
        Some(excluded) => (true, Gobwas::compile(excluded, &[]).ok()),
        None => (false, Gobwas::compile(text, &[]).ok()),
    }
}

/// The id of a key that is named by it or by its fingerprint; `None` for anything else, which no signature has.
fn key_id(key: &Str) -> Option<Str> {
    let is_hexadecimal = key.bytes().all(|byte| byte.is_ascii_hexdigit());
    match key.len() {
        40 if is_hexadecimal => Some(key[24..].into()),
        16 if is_hexadecimal => Some(key.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::Object;

    use crate::Project;

    fn project(spec: &str) -> Project {
        let text = format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {{name: shop}}, spec: {spec}}}"
        );
        Project::parse(&Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap())
    }

    /// What must be signed of a repository: `head` or `strict` with the keys, `none`, or an error.
    fn rule(spec: &str, repository: &str) -> String {
        match project(spec).signatures(repository) {
            Ok(None) => "none".into(),
            Ok(Some(rule)) => {
                format!("{} {}", if rule.history { "strict" } else { "head" }, rule.keys.join(" "))
            }
            Err(why) => why,
        }
    }

    #[test]
    fn the_one_policy_that_matches_counts() {
        let policy = |repos: &str, mode: &str| {
            format!("{{repos: [{repos}], gpg: {{mode: {mode}, keys: [D56C4FCA57A46444, no key]}}}}")
        };
        let spec = |policies: &[String]| {
            format!("{{sourceIntegrity: {{git: {{policies: [{}]}}}}}}", policies.join(", "))
        };
        let group = "{url: 'https://h/group/*'}, {url: '!https://h/group/ignored.git'}";
        for (policies, repository, expected) in [
            (vec![policy(group, "head")], "https://h/group/a/b.git", "head D56C4FCA57A46444"),
            (vec![policy(group, "strict")], "https://h/group/a.git", "strict D56C4FCA57A46444"),
            (vec![policy(group, "head")], "https://h/group/ignored.git", "none"),
            (vec![policy(group, "head")], "https://h/other.git", "none"),
            (vec![policy(group, "none")], "https://h/group/a.git", "none"),
            (
                vec![policy(group, "odd")],
                "https://h/group/a.git",
                "unknown GPG mode \"odd\" configured for GIT source integrity",
            ),
            (
                vec![policy(group, "none"), policy("{url: '*'}", "head")],
                "https://h/group/a.git",
                "multiple (2) git source integrity policies found for repo URL: https://h/group/a.git",
            ),
        ] {
            assert_eq!(rule(&spec(&policies), repository), expected, "{policies:?} {repository}");
        }
    }

    #[test]
    fn older_keys_count_for_every_repository_where_there_is_nothing_newer() {
        let fingerprint = "4AEE18F83AFDEB23D56C4FCA57A464444AEE18F8";
        let keys = format!("signatureKeys: [{{keyID: {fingerprint}}}]");
        assert_eq!(rule(&format!("{{{keys}}}"), "https://h/a.git"), "head 57A464444AEE18F8");
        let both = format!("{{{keys}, sourceIntegrity: {{git: {{policies: []}}}}}}");
        assert_eq!(rule(&both, "https://h/a.git"), "none");
        assert!(project(&format!("{{{keys}}}")).diagnostics.is_empty());
    }
}
