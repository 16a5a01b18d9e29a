//! Addresses: equal ones, refused ones, printed ones.

use proptest::prelude::*;

use super::*;

#[test]
fn addresses_that_name_one_repository_are_equal() {
    let groups: [&[&str]; 5] = [
        &[
            "https://h/x.git",
            "https://h/x",
            "https://H/X",
            "https://h/x/",
            "https://h:443/x.git",
            " https://h/x ",
        ],
        &["git@h:a/b.git", "ssh://git@h/a/b", "ssh://git@h:22/a/b.git", "git@H:A/b"],
        &["ssh://git@h:2222/a/b"],
        &["http://h/x"],
        &["file:///srv/x", "/srv/x", "file://localhost/srv/x", "/srv/x.git"],
    ];
    for (index, group) in groups.iter().enumerate() {
        for text in *group {
            for (other_index, others) in groups.iter().enumerate() {
                for other in *others {
                    let equal = RepositoryUrl::parse(text).unwrap() == RepositoryUrl::parse(other).unwrap();
                    assert_eq!(equal, index == other_index, "{text} and {other}");
                }
            }
        }
    }
}

#[test]
fn secrets_in_an_address_are_kept_but_never_printed() {
    let url = RepositoryUrl::parse("https://bob:p%40ss@h:8443/x.git").unwrap();
    assert_eq!(url.to_string(), "https://h:8443/x.git");
    assert_eq!(format!("{url:?}"), "RepositoryUrl(https://h:8443/x.git)");
    assert_eq!((url.user(), url.password().unwrap().expose()), (Some("bob"), "p@ss"));
    assert!(!url.normalised().contains("ss@"));
    let token = RepositoryUrl::parse("https://ghp_token@h/x").unwrap();
    assert!(!token.to_string().contains("ghp_token"));
    assert_eq!(RepositoryUrl::parse("git@h:a/b.git").unwrap().to_string(), "git@h:a/b.git");
    assert_eq!(RepositoryUrl::parse("ssh://git@h:2222/a/b").unwrap().to_string(), "ssh://git@h:2222/a/b");
    assert_eq!(RepositoryUrl::parse("ssh://[::1]:22/a").unwrap().host(), "::1");
}

#[test]
fn what_is_no_address_says_why() {
    for (text, why) in [
        ("", ParseUrlError::Empty),
        ("ftp://h/x", ParseUrlError::UnknownScheme),
        ("ext::sh -c id", ParseUrlError::UnknownScheme),
        ("https://h", ParseUrlError::NoPath),
        ("https:///x", ParseUrlError::NoHost),
        ("https://h:0/x", ParseUrlError::InvalidPort),
        ("https://h:99999/x", ParseUrlError::InvalidPort),
        ("ssh://-oProxyCommand=id/x", ParseUrlError::InvalidHost),
        ("-oProxyCommand=id:x", ParseUrlError::InvalidHost),
        ("./x", ParseUrlError::RelativePath),
        ("file://x", ParseUrlError::RelativePath),
        ("https://h/x\nHost: y", ParseUrlError::ControlCharacter),
    ] {
        assert_eq!(RepositoryUrl::parse(text).unwrap_err(), why, "{text}");
    }
}

/// Ours is coarser on purpose: default ports, passwords and slashes at the end make no difference.
#[test]
fn what_argo_cd_takes_for_one_repository_is_one() {
    let recorded: Vec<(String, String)> = include_str!("../testdata/argo-urls.jsonl")
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            (
                line["question"]["url"].as_str().unwrap().to_string(),
                line["answer"].as_str().unwrap().to_string(),
            )
        })
        .collect();
    let mut compared = 0;
    for (left, left_answer) in &recorded {
        for (right, right_answer) in &recorded {
            if let (Ok(left_url), Ok(right_url)) = (RepositoryUrl::parse(left), RepositoryUrl::parse(right))
                && left_answer == right_answer
                && !left_answer.is_empty()
            {
                assert_eq!(left_url, right_url, "{left} and {right}");
                compared += 1;
            }
        }
    }
    assert!(compared > 25, "{compared} pairs");
}

#[test]
fn a_push_is_matched_by_host_and_path() {
    for text in
        ["https://h/a/b.git", "http://h:8080/a/b", "git@h:a/b.git", "ssh://git@h:22/A/B", "git@ssh.h:a/b"]
    {
        assert!(RepositoryUrl::parse(text).unwrap().is_at("H", "/a/b"), "{text}");
    }
    let azure = RepositoryUrl::parse("git@ssh.dev.azure.com:v3/org/my%20project/repo").unwrap();
    assert!(azure.is_at("dev.azure.com", "/org/my project/_git/repo"));
    for text in ["https://h/a/b/c", "https://hh/a/b", "https://h/a/bb", "/a/b"] {
        assert!(!RepositoryUrl::parse(text).unwrap().is_at("h", "/a/b"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,60}") {
        if let Ok(url) = RepositoryUrl::parse(&text) {
            let again = RepositoryUrl::parse(&url.to_string()).unwrap();
            if url.scheme() != Scheme::Http && url.scheme() != Scheme::Https {
                prop_assert_eq!(again.normalised(), url.normalised());
            }
        }
    }
}
