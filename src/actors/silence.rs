//! Since when a service has been silent: it is asked, and does not answer. Pure: time is a parameter.
//!
//! An answer is anything that says more than "not now" and "not you": no 5xx, no 429, no refused credentials.
//! Never: a service that nobody asks is not silent.

use crate::domain::port::Observed;
use crate::domain::time::Timestamp;
use std::time::Duration;

/// Whoever waits for an answer asks again within this; after a longer gap the silence begins anew. It is longer
/// than any pause between two tries.
const GAP: Duration = Duration::from_secs(90);

/// The silence of one service.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    out: u32,
    since: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Silence {
    /// A call leaves.
    pub fn asked(&mut self, now: Timestamp) {
        let long_ago = self.last.is_none_or(|last| now.since(last) > GAP);
        if self.out == 0 && (self.since.is_none() || long_ago) {
            self.since = Some(now);
        }
        self.out += 1;
        self.last = Some(now);
    }

    /// A call has ended, and this was seen; nothing, when nobody knows.
    pub fn ended(&mut self, now: Timestamp, seen: Option<&Observed>) {
        self.out = self.out.saturating_sub(1);
        self.last = Some(now);
        if seen.is_some_and(is_answer) {
            self.since = (self.out > 0).then_some(now);
        }
    }

    /// Since when it has been asked without an answer.
    pub fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let is_over = self.out == 0 && self.last.is_none_or(|last| now.since(last) > GAP);
        self.since.filter(|_| !is_over)
    }
}

fn is_answer(seen: &Observed) -> bool {
    !seen.limited && !seen.unauthorized && seen.status.is_some_and(|status| status < 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    fn status(status: u16) -> Observed {
        Observed { status: Some(status), ..Observed::default() }
    }

    #[test]
    fn silence_begins_with_the_first_call_after_the_last_answer() {
        let mut silence = Silence::default();
        assert_eq!(silence.since(at(0)), None, "nobody has asked");
        silence.asked(at(10));
        assert_eq!(silence.since(at(60)), Some(at(10)), "a call that hangs is silence too");
        silence.ended(at(70), Some(&status(503)));
        silence.asked(at(75));
        silence.ended(at(76), None);
        assert_eq!(silence.since(at(80)), Some(at(10)), "no answer yet");
        silence.asked(at(90));
        silence.asked(at(91));
        silence.ended(at(95), Some(&status(404)));
        assert_eq!(silence.since(at(96)), Some(at(95)), "it has answered, and another call is out");
        silence.ended(at(97), Some(&status(200)));
        assert_eq!(silence.since(at(98)), None);
    }

    #[test]
    fn a_service_that_nobody_asks_is_not_silent() {
        let mut silence = Silence::default();
        silence.asked(at(0));
        silence.ended(at(1), Some(&Observed::default()));
        assert_eq!(silence.since(at(60)), Some(at(0)), "somebody will ask again");
        assert_eq!(silence.since(at(600)), None, "nobody did");
        silence.asked(at(600));
        assert_eq!(silence.since(at(600)), Some(at(600)));
    }

    #[test]
    fn not_now_and_not_you_are_no_answers() {
        for seen in [
            Observed { limited: true, ..status(429) },
            Observed { unauthorized: true, ..status(401) },
            status(502),
        ] {
            let mut silence = Silence::default();
            silence.asked(at(0));
            silence.ended(at(1), Some(&seen));
            assert_eq!(silence.since(at(2)), Some(at(0)), "{seen:?}");
        }
    }
}
