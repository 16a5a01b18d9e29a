//! The fuzz targets on inputs that are made of templates, values and charts by random changes.
//!
//! Nothing may panic, and nothing may take long; a hang shows as a test that does not end. The seed is fixed: a
//! failure comes again.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../../../fuzz/src/charts.rs"]
#[expect(unreachable_pub, reason = "it is a crate of its own, too")]
mod targets;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Inputs for each target, unless `WINDLASS_FUZZ_INPUTS` says otherwise.
const INPUTS: usize = 400;

/// What the languages give a meaning; more likely to lead somewhere than random bytes.
const TOKENS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{end}}",
    "{{else}}",
    "{{range ",
    "{{with ",
    "{{if ",
    "{{define \"x\"}}",
    "{{template \"x\" .}}",
    "{{block \"x\" .}}",
    "{{break}}",
    "{{continue}}",
    "{{/*",
    "*/}}",
    "|",
    "(",
    ")",
    "$",
    "$x := ",
    ".",
    ".Values",
    "..",
    "\"",
    "`",
    "'\\u0041'",
    "nil",
    "true",
    "0x1p-2",
    "1e400",
    "-9223372036854775808",
    "9223372036854775807",
    "1_000",
    "include \"x\" .",
    "tpl \"{{ . }}\" .",
    "printf \"%*[2]d%v\" 1 2",
    "until 100000",
    "repeat 100000 \"x\"",
    "toYaml",
    "fromYaml",
    "toJson",
    "dict",
    "list",
    "index",
    "slice",
    "merge",
    "regexReplaceAll \"(a*)*\" \"aaaa\"",
    "genCA \"x\" 1",
    "dateModify",
    "toToml",
    "\n",
    "  ",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: ",
    "|-\n",
    ">+\n",
    "!!binary ",
    "---\n",
    "...\n",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "[0]",
    "[65536]",
    "[-1]",
    "\\,",
    "{a,b}",
    "null",
    "\0",
    "\u{feff}",
    "é",
    "\u{1f600}",
    "Chart.yaml\n",
    "templates/a.yaml\n",
    "charts/x/Chart.yaml\n",
    "values.yaml\n",
    "values.schema.json\n",
    ".helmignore\n",
    "../",
    "/",
    "import-values",
    "alias",
    "condition",
    "tags",
    "global",
    "{\"$ref\": \"#\"}",
];

/// Random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound.max(1)
    }

    /// One of the seeds with some changes.
    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 + self.below(6) {
            let at = self.below(input.len() + 1);
            let until = (at + self.below(40)).min(input.len());
            match self.below(7) {
                0 => drop(input.drain(at..until)),
                1 => {
                    let again = input[at..until].to_vec();
                    drop(input.splice(at..at, again));
                }
                2 if at < input.len() => input[at] ^= 1 << self.below(8),
                3 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let to = (from + self.below(200)).min(other.len());
                    drop(input.splice(at..until, other[from..to].iter().copied()));
                }
                4 => input.truncate(at),
                _ => drop(input.splice(at..at, TOKENS[self.below(TOKENS.len())].bytes())),
            }
        }
        input
    }
}

fn run(target: fn(&[u8]), seed: u64, seeds: &[Vec<u8>]) {
    let n_inputs = std::env::var("WINDLASS_FUZZ_INPUTS").map_or(INPUTS, |count| count.parse().unwrap());
    // Deep templates need the stack that a program gives them.
    let work = || {
        seeds.iter().for_each(|seed| target(seed));
        let mut random = Random(seed);
        for _ in 0..n_inputs {
            target(&random.input(seeds));
        }
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(16 << 20).spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}

/// The charts of the other tests: each the files of a chart, and the arguments.
fn cases() -> Vec<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|member| member.unwrap().path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in fs::read_to_string(path).unwrap().split_inclusive('\n') {
            let name = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
            match (name, sections.last_mut()) {
                (Some(name), _) => sections.push((name.to_owned(), String::new())),
                (None, Some((_, text))) => text.push_str(line),
                (None, None) => {}
            }
        }
        sections.retain(|(name, _)| !name.starts_with("helm "));
        cases.push(sections);
    }
    cases
}

fn templates() -> Vec<Vec<u8>> {
    let files = cases().into_iter().flatten();
    let mut templates: Vec<_> = files
        .filter(|(name, _)| name.contains("templates/"))
        .map(|(_, text)| [text.as_bytes(), b"\0Values: {a: [1, x, null], b: {c: 1.5}}\n"].concat())
        .collect();
    templates.push(
        b"{{range $i, $e := .Values.a}}{{with $e}}{{$i | quote}}{{else}}-{{end}}{{end}}\0Values: {a: [1]}"
            .to_vec(),
    );
    templates
}

#[test]
fn any_template_parses_or_complains() {
    run(targets::template_parser, 1, &templates());
}

#[test]
fn any_template_executes_or_complains() {
    run(targets::template_executor, 2, &templates());
}

#[test]
fn any_text_of_a_flag_is_read_or_refused() {
    let mut seeds = vec![b"a.b[0].c=1,d={x,y},e\\.f=null\0a={\"b\":[1,2]}\0a.b=x".to_vec()];
    for (name, text) in cases().into_iter().flatten() {
        let flags = text
            .lines()
            .filter(|line| name == "args" && line.contains('='))
            .map(|line| line.as_bytes().to_vec());
        seeds.extend(flags);
    }
    run(targets::strvals, 3, &seeds);
}

#[test]
fn any_chart_loads_or_is_refused() {
    let mut seeds = Vec::new();
    for case in cases() {
        let files = case.iter().filter_map(|(name, text)| Some((name.split_once('/')?.1, text)));
        let parts: Vec<_> = files.map(|(name, text)| format!("{name}\n{text}")).collect();
        seeds.push(parts.join("\0").into_bytes());
    }
    run(targets::chart_loader, 4, &seeds);
}

#[test]
fn any_archive_loads_or_is_refused() {
    let mut seeds = Vec::new();
    for case in cases().into_iter().step_by(10) {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in case.iter().filter(|(name, _)| name.contains('/')) {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        seeds.push(archive.into_inner().unwrap());
    }
    // What is changed is the archive; a changed stream of gzip seldom is one any more.
    let compressed = |data: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        targets::chart_loader(&encoder.finish().unwrap());
    };
    run(compressed, 5, &seeds);
}
