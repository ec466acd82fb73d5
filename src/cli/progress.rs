//! Progress: on standard error, and drawn only where somebody watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// What a long operation tells while it works. Never an address.
pub trait Progress: Send + Sync {
    /// Something worth a line of its own.
    fn say(&self, line: &str);
    /// What is being done now: `scanning list 987`.
    fn phase(&self, what: &str);
    /// How far it is.
    fn advance(&self, done: u64, of: Option<u64>);
}

/// Progress on standard error: a bar on a terminal, else lines only.
pub struct Watch {
    bar: ProgressBar,
}

impl Watch {
    /// Draws only when `terminal`.
    pub fn new(terminal: bool) -> Watch {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        if terminal {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Watch { bar }
    }

    /// Takes the bar away, before the answer is printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Progress for Watch {
    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn phase(&self, what: &str) {
        self.bar.unset_length();
        self.bar.set_style(style("{spinner} {msg} {pos}"));
        self.bar.set_message(what.to_owned());
        self.bar.set_position(0);
    }

    fn advance(&self, done: u64, of: Option<u64>) {
        if let Some(length) = of.filter(|length| self.bar.length() != Some(*length)) {
            self.bar.set_length(length);
            self.bar.set_style(style("{spinner} {msg} {pos}/{len}"));
        }
        self.bar.set_position(done);
    }
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _line: &str) {}
    fn phase(&self, _what: &str) {}
    fn advance(&self, _done: u64, _of: Option<u64>) {}
}
