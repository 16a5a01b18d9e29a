//! Recorded cases, damaged at random: whatever comes in, a build ends with an output or an error.
#![expect(clippy::unwrap_used, reason = "tests")]

mod memory_tree;

use std::path::Path;

use memory_tree::MemoryTree;
use windlass_kustomize::{Options, Services, build};

/// How often each case is damaged.
const ROUNDS: u64 = 4;

/// What is put in.
const WORDS: [&str; 24] = [
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\t",
    "&a ",
    "*a",
    "!!binary ",
    "|",
    "~",
    "<<: *a\n",
    "$patch: ",
    "---\n",
    "0x7fffffffffffffffff",
    "1e999",
    "\u{feff}",
    "é",
    "../",
    "null",
];

struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn damage(&mut self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        if chars.is_empty() {
            return WORDS[self.below(WORDS.len())].to_owned();
        }
        let at = self.below(chars.len());
        let end = (at + 1 + self.below(12)).min(chars.len());
        let (before, cut, after) = (&chars[..at], &chars[at..end], &chars[end..]);
        let middle = match self.below(4) {
            0 => String::new(),
            1 => WORDS[self.below(WORDS.len())].to_owned(),
            2 => cut.iter().chain(cut).collect(),
            _ => format!("{}{}", WORDS[self.below(WORDS.len())], cut.iter().collect::<String>()),
        };
        before.iter().collect::<String>() + &middle + &after.iter().collect::<String>()
    }
}

fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else if !name.starts_with("expected.")
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            found.push((name, text));
        }
    }
}

#[test]
fn damaged_cases_end() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut random = Random(1);
    let mut ended = [0, 0];
    for topic in std::fs::read_dir(root).unwrap() {
        for case in std::fs::read_dir(topic.unwrap().path()).unwrap() {
            let mut whole = Vec::new();
            files(&case.unwrap().path(), "", &mut whole);
            whole.sort();
            let folder =
                if whole.iter().any(|(name, _)| name.starts_with("overlay/")) { "overlay" } else { "" };
            for _ in 0..ROUNDS {
                let mut damaged = whole.clone();
                for _ in 0..=random.below(3) {
                    let place = random.below(damaged.len());
                    damaged[place].1 = random.damage(&damaged[place].1);
                }
                let tree = MemoryTree::new(damaged);
                let built = build(&tree, folder, &Options::default(), Services::default(), &[]);
                let is_ok = built.and_then(|built| built.resources.to_yaml()).is_ok();
                ended[usize::from(is_ok)] += 1;
            }
        }
    }
    assert!(ended.iter().all(|count| *count > 50), "{ended:?}");
}
