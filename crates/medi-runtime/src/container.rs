//! What the process may use of the machine's memory: the limits of the control groups that it is in, and where their
//! pressure is told.
//!
//! Control groups nest, and the tightest limit on the way up counts. Inside a container the process sees its own
//! group as the root of the tree, so a path that is not there is taken to be the root.

use std::fs;
use std::path::{Path, PathBuf};

/// Larger limits are the kernel's way of saying that there is none (version 1).
const NO_LIMIT: u64 = 1 << 60;

/// What the control groups say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Beyond this, the kernel ends processes.
    pub max: Option<u64>,
    /// Beyond this, it slows them down and takes memory away.
    pub high: Option<u64>,
    /// The file with the group's memory pressure, or the machine's.
    pub pressure: Option<PathBuf>,
}

/// A version of the control groups: where it is mounted, and what its files are called.
struct Version {
    root: &'static str,
    max: &'static str,
    high: &'static str,
}

const VERSION_2: Version =
    Version { root: "sys/fs/cgroup", max: "memory.max", high: "memory.high" };
const VERSION_1: Version = Version {
    root: "sys/fs/cgroup/memory",
    max: "memory.limit_in_bytes",
    high: "memory.soft_limit_in_bytes",
};

impl Container {
    /// Reads what holds for the calling process. `root` is `/`, or what stands for it in a test.
    pub fn read(root: &Path) -> Container {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mut container = Container::default();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            if controllers.is_empty() {
                container.read_groups(root, path, &VERSION_2);
            } else if controllers.split(',').any(|controller| controller == "memory") {
                container.read_groups(root, path, &VERSION_1);
            }
        }
        if container.pressure.is_none() {
            container.pressure =
                Some(root.join("proc/pressure/memory")).filter(|path| readable(path));
        }
        container
    }

    /// Reads the group at `path` and all above it.
    fn read_groups(&mut self, root: &Path, path: &str, version: &Version) {
        let top = root.join(version.root);
        let group = top.join(path.trim_start_matches('/'));
        let group = if group.is_dir() { group } else { top.clone() };
        let pressure = group.join("memory.pressure");
        if self.pressure.is_none() && readable(&pressure) {
            self.pressure = Some(pressure);
        }
        for group in group.ancestors().take_while(|group| group.starts_with(&top)) {
            tighten(&mut self.max, &group.join(version.max));
            tighten(&mut self.high, &group.join(version.high));
        }
    }
}

/// Reading fails where the kernel was built or started without pressure information.
fn readable(path: &Path) -> bool {
    fs::read_to_string(path).is_ok()
}

/// Takes the limit in a file, when that is the tighter one. `max` in it means none.
fn tighten(limit: &mut Option<u64>, path: &Path) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let here = text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT);
    *limit = [*limit, here].into_iter().flatten().min();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files in it.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_tightest_limit_on_the_way_up_counts() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/ward/monitor\n"),
            ("sys/fs/cgroup/ward/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/ward/memory.high", "max\n"),
            ("sys/fs/cgroup/ward/monitor/memory.max", "max\n"),
            ("sys/fs/cgroup/ward/monitor/memory.high", "1073741824\n"),
            ("sys/fs/cgroup/ward/monitor/memory.pressure", "some avg10=0.00\n"),
            ("proc/pressure/memory", "some avg10=0.00\n"),
        ]);
        let pressure = root.path().join("sys/fs/cgroup/ward/monitor/memory.pressure");
        assert_eq!(
            Container::read(root.path()),
            Container { max: Some(2 << 30), high: Some(1 << 30), pressure: Some(pressure) }
        );
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/docker/0123\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
        ]);
        assert_eq!(Container::read(root.path()).max, Some(512 << 20));
    }

    #[test]
    fn version_1_has_other_names_and_a_number_for_no_limit() {
        let root = tree(&[
            ("proc/self/cgroup", "9:cpu,cpuacct:/a\n5:memory:/a\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n"),
            ("sys/fs/cgroup/memory/a/memory.soft_limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(
            Container::read(root.path()),
            Container { max: Some(256 << 20), high: None, pressure: None }
        );
    }

    #[test]
    fn a_machine_without_control_groups_limits_nothing() {
        assert_eq!(Container::read(tree(&[]).path()), Container::default());
    }
}
