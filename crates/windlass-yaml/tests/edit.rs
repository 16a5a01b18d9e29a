//! Edits change one scalar and nothing else.

use windlass_yaml::edit::{EditError, Replacement, Step, set_scalar};
use windlass_yaml::{Limits, parse_nodes};

const TEXT: &str = r#"# head
spec:
    image:   'web:1.0'   # {"$imagepolicy": "apps:web"}
    tag: 1.0 # a number
    plain: text
    quoted: "x"
    flow: {tag: a, list: [one,   two]}
    literal: |
        some
        text

    folded: >-
      more
      text
    empty:
    list:
      -   - a
          # between
          - b
      -
last: 1
"#;

#[track_caller]
fn check(path: &[Step<'_>], replacement: Replacement<'_>, old: &str, new: &str) {
    assert_eq!(TEXT.matches(old).count(), 1, "{old:?} must stand once in the text");
    let edited = set_scalar(TEXT, 0, path, replacement).expect("the edit has a place");
    assert_eq!(edited, TEXT.replacen(old, new, 1));
}

#[test]
fn keeps_every_other_byte() {
    let key = Step::Key;
    check(&[key("spec"), key("image")], Replacement::Keep("web:2.0"), "'web:1.0'", "'web:2.0'");
    check(&[key("spec"), key("tag")], Replacement::Keep("1.10"), "1.0 #", "1.10 #");
    check(&[key("spec"), key("tag")], Replacement::String("1.10"), "1.0 #", "\"1.10\" #");
    check(&[key("spec"), key("plain")], Replacement::Keep("1.10"), "plain: text", "plain: \"1.10\"");
    check(&[key("spec"), key("plain")], Replacement::Plain("true"), "plain: text", "plain: true");
    check(&[key("spec"), key("plain")], Replacement::Keep("a: b"), "plain: text", "plain: 'a: b'");
    check(&[key("spec"), key("plain")], Replacement::Keep("a\nb"), "plain: text", "plain: \"a\\nb\"");
    check(&[key("spec"), key("quoted")], Replacement::Keep("a\"b"), "\"x\"", "\"a\\\"b\"");
    check(&[key("spec"), key("flow"), key("tag")], Replacement::Keep("x,y"), "tag: a", "tag: 'x,y'");
    check(
        &[key("spec"), key("flow"), key("list"), Step::Index(1)],
        Replacement::Keep("three"),
        "   two]",
        "   three]",
    );
    check(
        &[key("spec"), key("literal")],
        Replacement::Keep("short"),
        "|\n        some\n        text",
        "short",
    );
    check(&[key("spec"), key("folded")], Replacement::Keep("short"), ">-\n      more\n      text", "short");
    check(&[key("spec"), key("empty")], Replacement::String("full"), "empty:", "empty: full");
    check(&[key("spec"), key("list"), Step::Index(0), Step::Index(1)], Replacement::Keep("c"), "- b", "- c");
    check(&[key("spec"), key("list"), Step::Index(1)], Replacement::Keep("c"), "-\nlast", "- c\nlast");
    check(&[key("last")], Replacement::Keep("2"), "last: 1", "last: 2");
}

#[test]
fn says_what_it_cannot_do() {
    let set = |path: &[Step<'_>]| set_scalar(TEXT, 0, path, Replacement::Keep("x")).unwrap_err();
    assert_eq!(set(&["spec".into()]), EditError::NotScalar(".spec".to_owned()));
    assert_eq!(
        set(&["spec".into(), "list".into(), 7.into()]),
        EditError::NotFound(".spec.list[7]".to_owned())
    );
    assert_eq!(set_scalar(TEXT, 1, &[], Replacement::Keep("x")), Err(EditError::NoDocument(1)));
    assert!(matches!(set_scalar("a: b: c", 0, &[], Replacement::Keep("x")), Err(EditError::Yaml(_))));
}

#[test]
fn comments_and_spans_are_found() {
    let documents = parse_nodes(TEXT, &Limits::default()).unwrap();
    let root = &documents[0].root;
    let image = root.get("spec").and_then(|spec| spec.get("image")).unwrap();
    assert_eq!(image.line_comment, "# {\"$imagepolicy\": \"apps:web\"}");
    assert_eq!(&TEXT[image.span.clone()], "'web:1.0'");
    assert_eq!((image.line, image.column), (3, 14));
    assert_eq!(root.content[0].head_comment, "# head");
    let mut scalars = 0;
    root.walk(&mut |_| scalars += 1);
    assert!(scalars > 30);
}
