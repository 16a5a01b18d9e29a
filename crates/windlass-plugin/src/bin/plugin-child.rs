//! A program that is nothing but a child that becomes a plugin: for tests, which have no whole Windlass at hand.

fn main() {
    assert!(windlass_sandbox::serve_if_child(), "this program is started as a child only");
}
