//! Files that a confined program can open.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope,
};

/// Where programs, their libraries and their settings are; none of it is written.
///
/// `/proc` shows a confined program its own processes; what another holds in memory is closed to it.
const SYSTEM: [&str; 12] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/proc", "/sys"];

/// Devices that programs expect.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// The newest rules that are asked for; an older kernel keeps those that it knows.
const RULES: ABI = ABI::V6;

/// Closes all files but those below `readable`, `writable` and the system's own to this process, for good, and other
/// processes to its signals. A kernel without Landlock (before 5.13) closes nothing, which is no error.
pub(super) fn apply(readable: &[PathBuf], writable: &[PathBuf]) -> Result<(), RulesetError> {
    let read = AccessFs::from_read(RULES);
    let all = AccessFs::from_all(RULES);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(RULES))?
        .create()?;
    let system =
        SYSTEM.iter().map(Path::new).chain(readable.iter().map(PathBuf::as_path)).map(|path| (path, read));
    let devices = DEVICES.iter().map(|path| (Path::new(path), AccessFs::ReadFile | AccessFs::WriteFile));
    let own = writable.iter().map(|path| (path.as_path(), all));
    for (path, access) in system.chain(devices).chain(own) {
        // What is not there need not be opened.
        let Ok(handle) = PathFd::new(path) else { continue };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(RULES) };
        rules = rules.add_rule(PathBeneath::new(handle, access))?;
    }
    rules.restrict_self()?;
    Ok(())
}
