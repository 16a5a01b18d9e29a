//! Input made to hurt: nothing may panic, and nothing may take exponential time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use windlass_go::duration::Duration;
use windlass_go::glob::{Doublestar, DoublestarError, Gobwas, GobwasError, path_match};
use windlass_go::re2::{Regex, RegexError};
use windlass_go::semver::{Constraint, Version};

/// A name that a backtracking matcher explores in vain.
const NAME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

#[test]
fn stars_do_not_explode() {
    for star in ["a*", "*a", "**a", "{a,a}*", "{a*,a*}", "{,a}", "[a]*"] {
        let pattern = format!("{}c", star.repeat(30));
        assert!(!Gobwas::compile(&pattern, &['/']).unwrap().is_match(NAME), "{pattern}");
        assert_eq!(path_match(&pattern, NAME), Ok(false), "{pattern}");
        let doublestar = Doublestar::compile(&pattern).map(|glob| glob.is_match(NAME));
        assert!(matches!(doublestar, Ok(false) | Err(DoublestarError::TooManyAlternatives)), "{pattern}");
    }
    let deep = format!("{}x", "a/".repeat(300));
    assert!(!Doublestar::compile(&format!("{}c", "**/a/".repeat(60))).unwrap().is_match(&deep));
}

#[test]
fn regular_expressions_are_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Regex::parse(&nested(150)).unwrap().is_match("a"));
    assert!(Regex::parse(&nested(5_000)).is_err());
    assert!(Regex::parse(&format!("a{}", "?)".repeat(5_000))).is_err());
    assert_eq!(Regex::parse(r"(\pL{100}){10}").unwrap_err(), RegexError::TooLarge);
    assert!(!Regex::parse("(a*)*(a|a)*c").unwrap().is_match(&NAME.repeat(100)));
}

#[test]
fn limits_name_themselves() {
    let long = "a".repeat(100_000);
    assert!(Regex::parse(&long).unwrap_err().to_string().contains("65536"));
    assert!(Gobwas::compile(&long, &[]).unwrap_err().to_string().contains("16384"));
    assert_eq!(Gobwas::compile(&"{".repeat(101), &[]).unwrap_err(), GobwasError::TooDeep);
    assert!(Version::parse(&"1".repeat(300)).unwrap_err().to_string().contains("256"));
    assert!(Constraint::parse(&"1".repeat(600)).unwrap_err().to_string().contains("512"));
    assert!(Constraint::parse(&vec!["1"; 33].join("||")).unwrap_err().to_string().contains("32"));
}

proptest! {
    #[test]
    fn nothing_panics(pattern in r"[ab*?\[\]{}()|,!^$\\/.:<>PimsU0-9xé\x00-]{0,24}", text in r"[ab/é.\n0-9-]{0,12}") {
        let _ = Gobwas::compile(&pattern, &['/']).map(|glob| glob.is_match(&text));
        let _ = Doublestar::compile(&pattern).map(|glob| glob.is_match(&text));
        let _ = path_match(&pattern, &text);
        if let Ok(regex) = Regex::parse(&pattern) {
            let _ = regex.replace_all(&text, &pattern);
        }
        let _ = (Version::parse(&pattern), Version::parse_strict(&pattern), Constraint::parse(&pattern));
        let _ = Duration::parse(&pattern);
    }

    #[test]
    fn translation_is_always_understood(pattern in r"\PC{0,12}") {
        prop_assert!(!matches!(Regex::parse(&pattern), Err(RegexError::Untranslatable(_))));
    }

    #[test]
    fn durations_survive_printing(nanos: i64) {
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(Duration::parse(&duration.to_string()), Ok(duration));
    }

    #[test]
    fn versions_are_in_one_order(a in version(), b in version(), c in version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }
}

fn version() -> impl Strategy<Value = Version> {
    r"[0-2]\.[0-1]\.[0-1](-([0-9]|1[0-9]|[a-c])(\.([0-9]|[a-c])){0,2})?"
        .prop_map(|text| Version::parse(&text).unwrap())
}
