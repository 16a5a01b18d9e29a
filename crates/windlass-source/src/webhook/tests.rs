//! Requests in the shape that each host documents, right and wrong.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

const SECRET: &str = "It's a Secret to Everybody";
const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const NONE: &str = "0000000000000000000000000000000000000000";

const GITHUB: &str = include_str!("testdata/github-push.json");
const GITLAB: &str = include_str!("testdata/gitlab-push.json");
const GITLAB_TAG: &str = include_str!("testdata/gitlab-tag.json");
const GITEA: &str = include_str!("testdata/gitea-push.json");
const BITBUCKET: &str = include_str!("testdata/bitbucket-cloud-push.json");
const BITBUCKET_SERVER: &str = include_str!("testdata/bitbucket-server-push.json");
const AZURE: &str = include_str!("testdata/azure-devops-push.json");

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn sign(body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn secrets() -> Secrets {
    Secrets {
        github: Some(SECRET.into()),
        gitlab: Some(SECRET.into()),
        gitea: Some(SECRET.into()),
        bitbucket_cloud: Some(SECRET.into()),
        bitbucket_server: Some(SECRET.into()),
        azure_devops: Some(("azure".into(), SECRET.into())),
        generic: Some(SECRET.into()),
        allow_unauthenticated: false,
    }
}

fn pushes(headers_in: &[(&str, &str)], body: &str) -> Vec<Push> {
    match receive(&headers(headers_in), body.as_bytes(), &secrets(), DEFAULT_MAX_BODY_BYTES).unwrap() {
        Event::Push(pushes) => pushes,
        Event::Ignored { event } => panic!("{event} was ignored"),
    }
}

type Genuine = (Vec<(&'static str, String)>, &'static str, &'static str);

/// All providers: the headers of a genuine request, its body, and which header proves it.
fn genuine() -> Vec<Genuine> {
    let prefixed = |body: &str| format!("sha256={}", sign(body));
    let generic = r#"{"repository": "https://git.example.org/team/app"}"#;
    vec![
        (
            vec![("x-github-event", "push".into()), ("x-hub-signature-256", prefixed(GITHUB))],
            GITHUB,
            "x-hub-signature-256",
        ),
        (
            vec![("x-gitlab-event", "Push Hook".into()), ("x-gitlab-token", SECRET.into())],
            GITLAB,
            "x-gitlab-token",
        ),
        (
            vec![
                ("x-github-event", "push".into()),
                ("x-gitea-event", "push".into()),
                ("x-gitea-signature", sign(GITEA)),
            ],
            GITEA,
            "x-gitea-signature",
        ),
        (vec![("x-gogs-event", "push".into()), ("x-gogs-signature", sign(GITEA))], GITEA, "x-gogs-signature"),
        (
            vec![
                ("x-event-key", "repo:push".into()),
                ("x-hook-uuid", "{a-b}".into()),
                ("x-hub-signature", prefixed(BITBUCKET)),
            ],
            BITBUCKET,
            "x-hub-signature",
        ),
        (vec![("x-event-key", "repo:push".into()), ("x-hook-uuid", SECRET.into())], BITBUCKET, "x-hook-uuid"),
        (
            vec![
                ("x-event-key", "repo:refs_changed".into()),
                ("x-hub-signature", prefixed(BITBUCKET_SERVER)),
            ],
            BITBUCKET_SERVER,
            "x-hub-signature",
        ),
        (
            vec![
                ("x-vss-activityid", "1".into()),
                // `printf "azure:It's a Secret to Everybody" | base64`
                ("authorization", "Basic YXp1cmU6SXQncyBhIFNlY3JldCB0byBFdmVyeWJvZHk=".into()),
            ],
            AZURE,
            "authorization",
        ),
        (vec![("x-signature", prefixed(generic))], generic, "x-signature"),
    ]
}

#[test]
fn every_provider_is_let_in_with_the_secret_and_with_nothing_less() {
    for (pairs, body, proof) in genuine() {
        let given: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let attempt = |headers: &HeaderMap, body: &str, secrets: &Secrets| {
            receive(headers, body.as_bytes(), secrets, DEFAULT_MAX_BODY_BYTES)
        };
        assert!(matches!(attempt(&given, body, &secrets()), Ok(Event::Push(_))), "{proof}");

        let mut forged = given.clone();
        forged.insert(HeaderName::from_static(proof), HeaderValue::from_static("sha256=00"));
        assert!(
            matches!(attempt(&forged, body, &secrets()), Err(WebhookError::Unauthenticated { .. })),
            "{proof}"
        );
        let mut unsigned = given.clone();
        unsigned.remove(proof);
        let outcome = attempt(&unsigned, body, &secrets());
        assert!(
            matches!(outcome, Err(WebhookError::Unauthenticated { .. } | WebhookError::UnknownSender))
                || proof == "x-hook-uuid",
            "{proof} {outcome:?}"
        );
        // The proof comes before the body: what follows is no JSON at all, and nobody notices.
        assert!(matches!(
            attempt(&forged, "not json", &secrets()),
            Err(WebhookError::Unauthenticated { .. })
        ));
        assert!(matches!(attempt(&given, body, &Secrets::default()), Err(WebhookError::NoSecret { .. })));
        let open = Secrets { allow_unauthenticated: true, ..Secrets::default() };
        assert!(matches!(attempt(&given, body, &open), Ok(Event::Push(_))));
        let empty = Secrets {
            github: Some("".into()),
            gitlab: Some("".into()),
            gitea: Some("".into()),
            bitbucket_cloud: Some("".into()),
            bitbucket_server: Some("".into()),
            generic: Some("".into()),
            azure_devops: Some((String::new(), "".into())),
            allow_unauthenticated: true,
        };
        assert!(
            matches!(attempt(&given, body, &empty), Err(WebhookError::Unauthenticated { .. })),
            "{proof}"
        );

        let small = receive(&given, body.as_bytes(), &secrets(), body.len() - 1);
        assert_eq!(small, Err(WebhookError::TooLarge { size: body.len(), limit: body.len() - 1 }));
        assert_eq!(small.unwrap_err().status(), 413);
    }
}

/// GitHub's documentation, "Validating webhook deliveries", gives this pair of text and signature.
#[test]
fn githubs_documented_signature_is_accepted() {
    let given = headers(&[
        ("x-github-event", "push"),
        ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    ]);
    let outcome = receive(&given, b"Hello, World!", &secrets(), 100);
    assert!(
        matches!(outcome, Err(WebhookError::Malformed { provider: Provider::GitHub, .. })),
        "{outcome:?}"
    );
    assert!(matches!(
        receive(&given, b"Hello, World.", &secrets(), 100),
        Err(WebhookError::Unauthenticated { .. })
    ));
}

#[test]
fn pushes_are_read_from_every_provider() {
    let prefixed = |body: &str| format!("sha256={}", sign(body));
    let push = |provider, repositories: &[&str], reference: &str, files: Option<&[&str]>, default| Push {
        provider,
        repositories: repositories.iter().map(ToString::to_string).collect(),
        reference: reference.into(),
        before: OLD.parse().ok(),
        after: NEW.parse().ok(),
        changed_files: files.map(|files| files.iter().map(ToString::to_string).collect()),
        is_default_branch: default,
    };
    assert_eq!(
        pushes(&[("x-github-event", "push"), ("x-hub-signature-256", &prefixed(GITHUB))], GITHUB),
        [push(
            Provider::GitHub,
            &[
                "https://github.com/team/app",
                "https://github.com/team/app.git",
                "git@github.com:team/app.git"
            ],
            "refs/heads/main",
            Some(&["apps/a.yaml", "apps/b.yaml", "old.yaml"]),
            Some(true)
        )]
    );
    assert_eq!(
        pushes(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", SECRET)], GITLAB),
        [push(
            Provider::GitLab,
            &[
                "https://gitlab.example.org/team/app",
                "https://gitlab.example.org/team/app.git",
                "git@gitlab.example.org:team/app.git"
            ],
            "refs/heads/feature/x",
            None,
            Some(false)
        )]
    );
    let created = pushes(&[("x-gitlab-event", "Tag Push Hook"), ("x-gitlab-token", SECRET)], GITLAB_TAG);
    assert_eq!((created[0].before, created[0].reference.as_str()), (None, "refs/tags/v1.0.0"));
    assert_eq!(
        pushes(&[("x-gitea-event", "push"), ("x-gitea-signature", &sign(GITEA))], GITEA),
        [push(
            Provider::Gitea,
            &[
                "https://gitea.example.org/team/app",
                "https://gitea.example.org/team/app.git",
                "ssh://git@gitea.example.org:2222/team/app.git"
            ],
            "refs/heads/main",
            Some(&["apps/a.yaml"]),
            Some(true)
        )]
    );
    let given = [("x-event-key", "repo:push"), ("x-hook-uuid", SECRET)];
    let both = pushes(&given, BITBUCKET);
    assert_eq!(
        both[0],
        push(Provider::BitbucketCloud, &["https://bitbucket.org/team/app"], "refs/heads/main", None, None)
    );
    assert_eq!(
        (both[1].reference.as_str(), both[1].before, both[1].after, both[1].is_default_branch),
        ("refs/tags/v1", OLD.parse().ok(), None, Some(false))
    );
    let signature = prefixed(BITBUCKET_SERVER);
    assert_eq!(
        pushes(&[("x-event-key", "repo:refs_changed"), ("x-hub-signature", &signature)], BITBUCKET_SERVER),
        [push(
            Provider::BitbucketServer,
            &[
                "ssh://git@bitbucket.example.org:7999/team/app.git",
                "https://bitbucket.example.org/scm/team/app.git",
                "https://bitbucket.example.org/projects/TEAM/repos/app/browse"
            ],
            "refs/heads/main",
            None,
            None
        )]
    );
    let basic = "Basic YXp1cmU6SXQncyBhIFNlY3JldCB0byBFdmVyeWJvZHk=";
    assert_eq!(
        pushes(&[("x-vss-activityid", "1"), ("authorization", basic)], AZURE),
        [push(
            Provider::AzureDevOps,
            &["https://dev.azure.com/team/project/_git/app"],
            "refs/heads/main",
            None,
            Some(true)
        )]
    );
    let generic = format!(
        r#"{{"repository": ["https://h/x", "git@h:x"], "ref": "refs/heads/main", "before": "{OLD}", "after": "{NEW}", "files": ["a"]}}"#
    );
    assert_eq!(
        pushes(&[("x-signature", &prefixed(&generic))], &generic),
        [push(Provider::Generic, &["https://h/x", "git@h:x"], "refs/heads/main", Some(&["a"]), None)]
    );
}

#[test]
fn files_are_told_only_when_the_list_is_whole() {
    for (from, to) in [
        ("\"forced\": false", "\"forced\": true"),
        (OLD, NONE),
        (NEW, NONE),
        ("\"commits\": [", "\"total_commits\": 99, \"commits\": ["),
    ] {
        let body = GITHUB.replace(from, to);
        assert_ne!(body, GITHUB, "{from}");
        let signature = format!("sha256={}", sign(&body));
        let read = pushes(&[("x-github-event", "push"), ("x-hub-signature-256", &signature)], &body);
        assert_eq!(read[0].changed_files, None, "{to}");
    }
}

#[test]
fn other_events_are_ignored_and_other_senders_refused() {
    let signature = format!("sha256={}", sign("{}"));
    for (given, event) in [
        (vec![("x-github-event", "ping"), ("x-hub-signature-256", signature.as_str())], "ping"),
        (vec![("x-gitlab-event", "Issue Hook"), ("x-gitlab-token", SECRET)], "Issue Hook"),
        (vec![("x-gitlab-event", "System Hook"), ("x-gitlab-token", SECRET)], ""),
        (
            vec![("x-event-key", "diagnostics:ping"), ("x-hub-signature", signature.as_str())],
            "diagnostics:ping",
        ),
    ] {
        let outcome = receive(&headers(&given), b"{}", &secrets(), 100);
        assert_eq!(outcome, Ok(Event::Ignored { event: event.into() }));
    }
    assert_eq!(receive(&HeaderMap::new(), b"{}", &secrets(), 100), Err(WebhookError::UnknownSender));
    let outcome = receive(
        &headers(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", SECRET)]),
        b"{}",
        &secrets(),
        100,
    );
    assert!(matches!(outcome, Err(WebhookError::Malformed { .. })), "a push of no repository: {outcome:?}");
}

#[test]
fn a_push_finds_its_repositories_and_targets() {
    let push = Push {
        provider: Provider::GitHub,
        repositories: vec!["https://github.com/Team/app".into()],
        reference: "refs/heads/main".into(),
        before: None,
        after: None,
        changed_files: None,
        is_default_branch: Some(false),
    };
    for (url, expected) in [
        ("https://github.com/team/app.git", true),
        ("http://bob@github.com:8080/team/app", true),
        ("git@github.com:team/app.git", true),
        ("ssh://git@ssh.github.com:443/team/app.git", true),
        ("https://github.com/team/app2", false),
        ("https://github.com/team/app/sub", false),
        ("https://evil.org/team/app", false),
    ] {
        assert_eq!(push.is_to(&url.parse().unwrap()), expected, "{url}");
    }
    let affected = |push: &Push, text: &str| push.affects(&TargetRevision::parse(text, ""));
    for (text, expected) in [
        ("main", true),
        ("refs/heads/main", true),
        ("heads/main", true),
        ("other", false),
        ("HEAD", false),
        ("1.x", false),
        (NEW, false),
    ] {
        assert_eq!(affected(&push, text), expected, "{text}");
    }
    let unknown = Push { is_default_branch: None, ..push.clone() };
    assert!(affected(&unknown, "HEAD"));
    let tag = Push { reference: "refs/tags/v1.2.0".into(), ..push.clone() };
    for (text, expected) in [("1.x", true), ("v1.2.0", true), ("main", false), ("HEAD", false)] {
        assert_eq!(affected(&tag, text), expected, "{text}");
    }
    assert!(!tag.affects(&TargetRevision::parse("1.x", "chart-")));
    let unnamed = Push { reference: String::new(), ..push };
    assert!(affected(&unnamed, "main") && affected(&unnamed, "1.x") && !affected(&unnamed, NEW));
}

/// Recorded from Argo CD by `tools/oracle-webhook`.
#[test]
fn repositories_are_matched_as_argo_cd_matches_them() {
    /// Where we match more, on purpose: the SSH form of Azure DevOps.
    const OURS: [(&str, &str); 1] =
        [("https://dev.azure.com/org/project/_git/app", "git@ssh.dev.azure.com:v3/org/project/app")];
    let mut matches = 0;
    for line in include_str!("testdata/argo-matches.jsonl").lines().skip(1) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap();
        let (web, repository) = (text("web"), text("repository"));
        let push = Push {
            provider: Provider::GitHub,
            repositories: vec![web.into()],
            reference: String::new(),
            before: None,
            after: None,
            changed_files: None,
            is_default_branch: None,
        };
        let expected = line["matches"] == true || OURS.contains(&(web, repository));
        assert_eq!(push.is_to(&repository.parse().unwrap()), expected, "{web} and {repository}");
        matches += usize::from(expected);
    }
    assert!(matches > 40, "{matches} matches");
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200), provider in 0usize..9) {
        let open = Secrets { allow_unauthenticated: true, ..Secrets::default() };
        let (pairs, genuine_body, _) = genuine().swap_remove(provider);
        let given: HeaderMap =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        let _ = receive(&given, &body, &open, DEFAULT_MAX_BODY_BYTES);
        let cut = genuine_body.len() * body.len() / 200;
        let _ = receive(&given, &genuine_body.as_bytes()[..cut], &open, DEFAULT_MAX_BODY_BYTES);
    }
}
