//! Parse, call, map the outcome to an exit code; nothing else.

use hsmc::cli::{self, Failure, System, Terminal};
use hsmc::telemetry;

// The C library's allocator gathers its small pieces anew for each page that sled reads, which is more than half of the
// time a plan takes, and keeps an arena a thread. `.cargo/config.toml` says how this one is set up.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code.into(),
    };
    let terminal = Terminal::of_process(&cli.global);
    let logging = terminal.logging(&cli);
    let _open = match telemetry::start(&logging, std::env::var("RUST_LOG").ok().as_deref()) {
        Ok(open) => open,
        Err(problem) => return cli::complain(&Failure::of_log_file(&logging, &problem), &terminal).into(),
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|problem| Failure::of_runtime(&problem))
        .and_then(|runtime| {
            let backend = System { config: cli.global.config.clone(), state: cli.global.state.clone() };
            runtime.block_on(cli::run(&cli, &backend, &terminal))
        });
    match outcome {
        Ok(code) => code.into(),
        Err(failure) => cli::complain(&failure, &terminal).into(),
    }
}
