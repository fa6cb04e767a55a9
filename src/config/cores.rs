//! How many physical cores this process may use.

use std::collections::BTreeSet;
use std::path::Path;

/// Physical cores, at most as many as the process may run on at once (affinity, container quota); at least 1.
/// Where the topology cannot be read, hardware threads.
pub(super) fn physical_cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    match distinct_cores(Path::new("/sys/devices/system/cpu")) {
        0 => allowed,
        cores => cores.min(allowed),
    }
}

/// Counts pairs of (package, core) below a folder laid out like Linux's `/sys/devices/system/cpu`.
fn distinct_cores(cpus: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(cpus) else { return 0 };
    let identity = |cpu: &Path| {
        let read = |name| std::fs::read_to_string(cpu.join("topology").join(name)).ok();
        Some((read("physical_package_id")?, read("core_id")?))
    };
    entries.flatten().filter_map(|entry| identity(&entry.path())).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_of_one_core_count_once() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, package, core) in [("cpu0", 0, 0), ("cpu1", 0, 0), ("cpu2", 0, 1), ("cpu3", 1, 1)] {
            let topology = folder.path().join(cpu).join("topology");
            std::fs::create_dir_all(&topology).unwrap();
            std::fs::write(topology.join("physical_package_id"), format!("{package}\n")).unwrap();
            std::fs::write(topology.join("core_id"), format!("{core}\n")).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("cpufreq")).unwrap();
        assert_eq!(distinct_cores(folder.path()), 3);
        assert_eq!(distinct_cores(&folder.path().join("missing")), 0);
    }
}
