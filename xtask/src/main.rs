//! Chores of the workspace: `cargo xtask tidy`, `cargo xtask tools`, `cargo xtask record` and others.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod bad_days;
mod charts;
mod conformance;
mod kustomizations;
mod record;
mod tidy;
mod tools;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What `cargo xtask` prints when it is not told what to do.
const USAGE: &str = "\
usage: cargo xtask CHORE

chores:
  tidy [--graph]        check the rules that no lint knows, or print the graph of our crates
  tools [NAME...]       build the pinned original programs that are missing into target/tools/bin;
                        a NAME is a program, or a group: `cluster` (what the tests need) or `all` (the default)
  tools --list          print the pinned programs, their versions, and which are built
  charts FOLDER...      render every chart below the folders, with each file of values in its `ci/`, with Helm and
                        with ours, and compare results and times; `--helm 3` for Helm 3, `--only PART` for some,
                        `--show` for more of each difference, `--cache FOLDER` to keep what Helm printed
  kustomizations FOLDER...
                        build every kustomization below the folders with kustomize and with ours, and compare;
                        `--show N` prints the first N differences, `--list` a line for each, `--enable-helm`
                        renders charts too; `--generate N --seed S` composes N random ones
  kustomizations --record
                        write down what kustomize prints for the cases of our tests
  conformance [NAME]    compare the embedded API with what kube-apiserver answered, for the scenarios whose name
                        holds NAME; `--record [NAME]` asks a real kube-apiserver again and writes its answers down;
                        `--random` has random ones with both, `WINDLASS_COUNT` many from `WINDLASS_SEED` on
  bad-days [COUNT] [FROM]
                        put so many random worlds (1000 if not said) through commits, drift, faults between engine
                        and API, and kills, from the seed FROM on (1 if not said); what fails prints its seed
  record [NAME...]      run the oracle programs in tools/oracle-NAME, and the tests that record what kube-apiserver
                        answers (`conformance`, `audit`, `client-go`), and renew what they recorded
";

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let result = match arguments.as_slice() {
        ["tidy"] => tidy::check(&root()),
        ["tidy", "--graph"] => tidy::print_graph(&root()),
        ["tools", "--list"] => tools::list(&root()),
        ["tools", names @ ..] => tools::build(&root(), names),
        ["charts", arguments @ ..] if !arguments.is_empty() => charts::compare(&root(), arguments),
        ["kustomizations", "--record"] => kustomizations::record(&root()),
        ["kustomizations", arguments @ ..] if !arguments.is_empty() => {
            kustomizations::compare(&root(), arguments)
        }
        ["conformance", arguments @ ..] => conformance::run(&root(), arguments),
        ["bad-days", arguments @ ..] => bad_days::run(&root(), arguments),
        ["record", names @ ..] => record::run(&root(), names),
        [] | ["help" | "-h" | "--help", ..] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("this crate lies one folder below the root").to_owned()
}
