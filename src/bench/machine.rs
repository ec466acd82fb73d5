//! The machine: what figures depend on, as far as the system says it without being asked in its own ways.

use crate::serve::bench::MachineView;
use std::path::Path;

/// The machine now.
pub(super) fn view(folder: &Path) -> MachineView {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    MachineView {
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        load_before: std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| first_number(&text)),
        folder: folder.display().to_string(),
    }
}

/// The most memory this process ever had; zero where the system does not say.
pub(super) fn peak_megabytes() -> f64 {
    megabytes("VmHWM:")
}

/// The memory this process has now; zero where the system does not say.
pub(super) fn megabytes_now() -> f64 {
    megabytes("VmRSS:")
}

fn megabytes(of: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(of));
    line.and_then(first_number).map_or(0.0, |kibibytes| kibibytes * 1024.0 / 1e6)
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}
