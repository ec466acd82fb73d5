//! Alerts for whoever asks: what stands, how telling it goes, and whether it would arrive.

use super::control::Done;
use super::{App, deliver};
use crate::domain::alert::{Answered, Standing};
use crate::domain::code::Code;
use crate::engine::outbox::{backlog, last_trouble};
use crate::serve::alert_views::{AlertView, TargetView, TestedView};
use crate::serve::requests::Trouble;

/// Alerts that are so, the worst first, then the oldest.
pub fn standing(all: &[Standing]) -> Vec<AlertView> {
    let mut so: Vec<&Standing> = all.iter().filter(|one| one.resolved.is_none()).collect();
    so.sort_by_key(|one| (std::cmp::Reverse(one.alert.severity()), one.first, one.number));
    so.into_iter().map(AlertView::from).collect()
}

/// How telling them goes.
pub fn told(app: &App, all: &[Standing]) -> Vec<TargetView> {
    let names = app.targets.iter().map(|target| target.form.name());
    names
        .map(|name| {
            let waiting = backlog(all, name, app.config.notify.from);
            TargetView::of(name, waiting, all, last_trouble(all, name))
        })
        .collect()
}

impl App {
    /// Sends a test message to every target.
    ///
    /// # Errors
    /// The config names none.
    pub async fn notify_test(&self) -> Done<Vec<TestedView>> {
        if self.targets.is_empty() {
            return Err(Trouble::usage(Code::NobodyToTell, "the config names nobody to tell of alerts")
                .with_way_out(
                    "add `teams`, `slack` or `webhook` under [notify], each the address of a webhook",
                ));
        }
        let answered = deliver::test(self).await;
        Ok(answered.into_iter().map(|(target, answered)| tested(target, answered)).collect())
    }
}

fn tested(target: &str, answered: Answered) -> TestedView {
    let (taken, answer) = match answered {
        Answered::Taken => (true, "took the message; look whether it is there".to_owned()),
        Answered::Later(Some(wait)) => (false, format!("asks to be left alone for {} s", wait.as_secs())),
        Answered::Later(None) => (false, "asks to be left alone for a while".to_owned()),
        Answered::Refused(why) => (false, format!("refuses the message: {why}")),
        Answered::Away(why) => (false, why),
    };
    let code = (!taken).then_some(Code::AlertNotTold);
    TestedView { target: target.to_owned(), taken, code, answer }
}
