//! The memory that is left, for what is kept in a file system that is in memory: one says how much it may hold, and not
//! that the machine, or the container, has less.

#[cfg(target_os = "linux")]
use std::path::Path;
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

/// The least of the groups that this process is in, such as a container's.
#[cfg(target_os = "linux")]
fn of_group() -> Option<Memory> {
    least(Path::new("/sys/fs/cgroup"), &std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The least of the groups below a folder, by what
/// [`/proc/self/cgroup`](https://man7.org/linux/man-pages/man7/cgroups.7.html) says: those of version 2, and those that
/// the memory controller of version 1 has.
#[cfg(target_os = "linux")]
fn least(root: &Path, groups: &str) -> Option<Memory> {
    let of_line = |line: &str| {
        let (_, line) = line.split_once(':')?;
        let (controllers, group) = line.split_once(":/")?;
        let (root, files) = match controllers {
            "" => (root.to_owned(), &VERSION_2),
            _ if controllers.split(',').any(|it| it == "memory") => (root.join("memory"), &VERSION_1),
            _ => return None,
        };
        // In a container the group may be named as on the machine, and be the root here.
        let directory = root.join(group);
        let groups = directory.ancestors().take_while(|directory| directory.starts_with(&root));
        groups.filter_map(|directory| files.read(directory)).min_by_key(|memory| memory.left)
    };
    groups.lines().filter_map(of_line).min_by_key(|memory| memory.left)
}

/// The files of a group that say what its limit is and what it uses, with all groups below it.
#[cfg(target_os = "linux")]
struct Files {
    limit: &'static str,
    used: &'static str,
    /// The names in `memory.stat` of the page cache, without what is in file systems in memory.
    cached: [&'static str; 2],
}

/// See [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files).
#[cfg(target_os = "linux")]
const VERSION_2: Files =
    Files { limit: "memory.max", used: "memory.current", cached: ["active_file ", "inactive_file "] };

/// See [cgroup v1](https://docs.kernel.org/admin-guide/cgroup-v1/memory.html). No limit is one of about 8 EiB.
#[cfg(target_os = "linux")]
const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cached: ["total_active_file ", "total_inactive_file "],
};

#[cfg(target_os = "linux")]
impl Files {
    fn read(&self, directory: &Path) -> Option<Memory> {
        let read = |name| std::fs::read_to_string(directory.join(name)).ok();
        self.limited(&read(self.limit)?, &read(self.used)?, &read("memory.stat")?)
    }

    /// Returns the memory of a group that has a limit. Its share of the page cache, but for what is in file systems in
    /// memory, can be had.
    fn limited(&self, limit: &str, used: &str, stat: &str) -> Option<Memory> {
        let total: u64 = limit.trim().parse().ok()?;
        let of =
            |name| stat.lines().find_map(|line: &str| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let [active, inactive] = self.cached.map(of);
        let used = used.trim().parse::<u64>().ok()?.saturating_sub(active?.saturating_add(inactive?));
        Some(Memory { total, left: total.saturating_sub(used) })
    }
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
        assert_eq!(VERSION_2.limited("4096\n", "1500\n", stat), Some(Memory { total: 4096, left: 3096 }));
        assert_eq!(VERSION_2.limited("4096\n", "5000\n", stat), Some(Memory { total: 4096, left: 0 }));
        assert_eq!(VERSION_2.limited("max\n", "1500\n", stat), None);
    }
    /// Groups below a folder: each is its path and what its files hold.
    fn tree(groups: &[(&str, [(&str, &str); 3])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, files) in groups {
            let directory = root.path().join(path);
            std::fs::create_dir_all(&directory).unwrap();
            for (name, text) in files {
                std::fs::write(directory.join(name), text).unwrap();
            }
        }
        root
    }

    fn version_1<'a>(limit: &'a str, used: &'a str) -> [(&'a str, &'a str); 3] {
        // The names without `total_` are of the group without those below it.
        let stat =
            "cache 7\nactive_file 7\ninactive_file 7\ntotal_active_file 300\ntotal_inactive_file 200\n";
        [("memory.limit_in_bytes", limit), ("memory.usage_in_bytes", used), ("memory.stat", stat)]
    }

    fn version_2<'a>(limit: &'a str, used: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("memory.max", limit),
            ("memory.current", used),
            ("memory.stat", "active_file 300\ninactive_file 200\n"),
        ]
    }

    const NO_LIMIT: &str = "9223372036854771712\n";

    #[test]
    fn limits_of_cgroup_version_1_are_read() {
        let groups = "11:cpu,cpuacct:/docker/1\n5:memory:/docker/1\n1:name=systemd:/docker/1\n0::/docker/1\n";
        let root = tree(&[
            ("memory", version_1(NO_LIMIT, "90000\n")),
            ("memory/docker", version_1("8000\n", "6500\n")),
            ("memory/docker/1", version_1("4096\n", "1500\n")),
            // No limit of memory.
            ("cpu,cpuacct/docker/1", version_1("1\n", "1\n")),
        ]);
        // The group above has less left.
        assert_eq!(least(root.path(), groups), Some(Memory { total: 8000, left: 2000 }));
        std::fs::write(root.path().join("memory/docker/memory.limit_in_bytes"), NO_LIMIT).unwrap();
        assert_eq!(least(root.path(), groups), Some(Memory { total: 4096, left: 3096 }));
        // Mounted with another controller, under a link of its name.
        let shared = "5:hugetlb,memory:/docker/1\n";
        assert_eq!(least(root.path(), shared), Some(Memory { total: 4096, left: 3096 }));
        assert_eq!(least(root.path(), "5:memoryless:/docker/1\n"), None);
    }

    #[test]
    fn a_container_whose_group_is_mounted_as_the_root_has_its_limit() {
        let root = tree(&[("memory", version_1("4096\n", "1500\n"))]);
        let of_container = Some(Memory { total: 4096, left: 3096 });
        for path in ["/docker/0123", "/", "/../.."] {
            assert_eq!(least(root.path(), &format!("5:memory:{path}\n")), of_container, "{path}");
        }
        assert_eq!(least(root.path(), ""), None);
        let unlimited = tree(&[("memory", version_1(NO_LIMIT, "1500\n"))]);
        assert!(least(unlimited.path(), "5:memory:/\n").is_none_or(|memory| memory.left > 1 << 62));
    }

    #[test]
    fn limits_of_cgroup_version_2_are_read_and_the_least_of_both_counts() {
        let root = tree(&[
            ("a/b", version_2("max\n", "1500\n")),
            ("a", version_2("4096\n", "1500\n")),
            ("memory/c", version_1("3000\n", "1500\n")),
        ]);
        assert_eq!(least(root.path(), "0::/a/b\n"), Some(Memory { total: 4096, left: 3096 }));
        let both = "5:memory:/c\n0::/a/b\n";
        assert_eq!(least(root.path(), both), Some(Memory { total: 3000, left: 2000 }));
    }
}
