//! System calls that a confined program cannot make.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// Calls that would make a socket. Nothing that is connected is handed to the program, so it has no network at all,
/// neither of this machine nor of others, nor sockets of services beside it. Pairs of sockets between its own processes stay.
const NETWORK: &[libc::c_long] = &[libc::SYS_socket];

/// Calls that would lead around the filter or the watch, or to other processes and the kernel.
const NEVER: &[libc::c_long] = &[
    // Out of the group that is counted and killed.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Work that another thread of the kernel does, sockets included.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Into other namespaces and file systems.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    // Into the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// On x86-64, the same calls have a second set of numbers where the kernel has the x32 interface.
const X32_BIT: i64 = 0x4000_0000;

/// Takes the calls away from this process and all that it becomes and starts, for good.
///
/// The network fails as a machine without one does, in words that every program has: "Network is unreachable".
pub(super) fn apply(network: bool) -> Result<(), String> {
    deny(NEVER, libc::EPERM)?;
    if !network {
        deny(NETWORK, libc::ENETUNREACH)?;
    }
    Ok(())
}

fn deny(calls: &[libc::c_long], errno: libc::c_int) -> Result<(), String> {
    let mut rules = BTreeMap::new();
    for call in calls {
        rules.insert(*call, Vec::new());
        if cfg!(target_arch = "x86_64") {
            rules.insert(*call | X32_BIT, Vec::new());
        }
    }
    let architecture = std::env::consts::ARCH
        .try_into()
        .map_err(|_| format!("there are no filters for {}", std::env::consts::ARCH))?;
    let action = SeccompAction::Errno(u32::try_from(errno).unwrap_or(1));
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)
        .map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error| format!("{error}"))?;
    apply_filter(&program).map_err(|error| error.to_string())
}
