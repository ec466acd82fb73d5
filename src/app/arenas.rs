//! One heap for all threads. glibc gives every thread an arena of its own, and what one thread frees
//! another cannot use: on 100,000 people that is 175 MB where one arena needs 87. glibc reads the setting
//! once, before `main`, and offers no safe call to change it: so the program starts itself again with it.

use std::os::unix::process::CommandExt;
use std::process::Command;

const SETTING: &str = "MALLOC_ARENA_MAX";

/// Starts this program again, in the same process, with one arena; does nothing where the setting is there
/// already, on another C library, or when the program's file cannot be found any more.
pub fn use_one() {
    if !cfg!(target_env = "gnu") || std::env::var_os(SETTING).is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), args.next()) else { return };
    // `exec` only comes back when it failed; then everything works, with more memory.
    let problem = Command::new(program).arg0(name).args(args).env(SETTING, "1").exec();
    tracing::debug!(%problem, "the program could not start itself again");
}
