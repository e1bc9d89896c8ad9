//! The memory that is left, for what is kept in a file system that is in memory: one says how much it may hold, and not
//! that the machine, or the container, has less.

use std::{fs::File, io};

/// The least that everything else keeps; of a small machine or container, an eighth of what it has.
#[cfg(target_os = "linux")]
const KEPT: u64 = 256 << 20;

/// Memory in bytes.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    total: u64,
    /// Can be had without a kill.
    left: u64,
}

/// Makes sure that an open file may grow by some MiB, where its file system is in memory.
///
/// # Errors
/// `StorageFull`, with what is left.
#[cfg(target_os = "linux")]
pub(super) fn room(file: &File) -> io::Result<()> {
    // https://man7.org/linux/man-pages/man2/statfs.2.html
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    if !rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == TMPFS) {
        return Ok(());
    }
    for Memory { total, left } in [of_machine(), of_group()].into_iter().flatten() {
        if left < KEPT.min(total / 8) {
            let why = format!("No space left on device: it is in memory, of which {left} bytes are left");
            return Err(io::Error::new(io::ErrorKind::StorageFull, why));
        }
    }
    Ok(())
}

/// Nothing says so.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one fails")]
pub(super) fn room(_: &File) -> io::Result<()> {
    Ok(())
}

/// The machine's, by [proc(5)](https://man7.org/linux/man-pages/man5/proc_meminfo.5.html).
#[cfg(target_os = "linux")]
fn of_machine() -> Option<Memory> {
    let mut memory = machine(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    if let Some(left) = crate::failpoint::number("memory") {
        memory.left = u64::try_from(left).ok()?;
    }
    Some(memory)
}

#[cfg(target_os = "linux")]
fn machine(text: &str) -> Option<Memory> {
    let kilobytes = |name| {
        let value: &str = text.lines().find_map(|line: &str| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let swap = kilobytes("SwapFree:").unwrap_or_default();
    Some(Memory { total: kilobytes("MemTotal:")?, left: kilobytes("MemAvailable:")?.saturating_add(swap) })
}

/// The least of the groups that this process is in, such as a container's, by
/// [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files).
#[cfg(target_os = "linux")]
fn of_group() -> Option<Memory> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = std::path::Path::new("/sys/fs/cgroup");
    let of = |directory: &std::path::Path| {
        let read = |name| std::fs::read_to_string(directory.join(name)).ok();
        limited(&read("memory.max")?, &read("memory.current")?, &read("memory.stat")?)
    };
    let directory = root.join(group);
    let groups = directory.ancestors().take_while(|directory| directory.starts_with(root));
    groups.filter_map(of).min_by_key(|memory| memory.left)
}

/// A group that has a limit. Its share of the page cache, but for what is in file systems in memory, can be had.
#[cfg(target_os = "linux")]
fn limited(max: &str, current: &str, stat: &str) -> Option<Memory> {
    let total: u64 = max.trim().parse().ok()?;
    let of = |name| stat.lines().find_map(|line: &str| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let cached = of("active_file ")?.saturating_add(of("inactive_file ")?);
    let used = current.trim().parse::<u64>().ok()?.saturating_sub(cached);
    Some(Memory { total, left: total.saturating_sub(used) })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree:         1 kB\nMemAvailable:    8192 kB\n";
        assert_eq!(machine(text), Some(Memory { total: 16 << 20, left: 8 << 20 }));
        let swap = format!("{text}SwapFree:         1024 kB\n");
        assert_eq!(machine(&swap), Some(Memory { total: 16 << 20, left: 9 << 20 }));
        assert_eq!(machine("MemTotal: 1 kB\n"), None);
        assert!(of_machine().is_some_and(|memory| memory.total > 0));
        let stat = "anon 1000\nfile 900\nshmem 400\ninactive_anon 1\nactive_file 300\ninactive_file 200\n";
        assert_eq!(limited("4096\n", "1500\n", stat), Some(Memory { total: 4096, left: 3096 }));
        assert_eq!(limited("4096\n", "5000\n", stat), Some(Memory { total: 4096, left: 0 }));
        assert_eq!(limited("max\n", "1500\n", stat), None);
    }
}
