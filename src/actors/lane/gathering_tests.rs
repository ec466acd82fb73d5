//! How people pass through lanes, tried in many orders of their threads (docs/simulation.md): the waiting rooms and the
//! count of who is on the way are the real ones, only what an actor does around them is a thread here.

use super::*;
use crate::domain::id::{ListId, RunId};
use crate::threads::orders::{Receiver, Sender, channel, in_any_order, spawn, yield_now};
use crate::threads::{Mutex, lock};

const NOW: Timestamp = Timestamp(0);

struct Passing {
    number: u32,
    ahead: usize,
    opt_out: bool,
    moving: Option<Moving>,
    /// Who waits to go on.
    reply: Sender<Option<Moving>>,
}

impl Waits for Passing {
    fn id(&self) -> MoveId {
        MoveId { run: RunId(1), number: self.number }
    }
    fn ahead(&self) -> usize {
        self.ahead
    }
    fn is_opt_out(&self) -> bool {
        self.opt_out
    }
    fn opts_out_in(&self) -> Vec<Target> {
        Vec::new()
    }
    fn takes_no_place(&self) -> bool {
        false
    }
    fn moving(&mut self) -> &mut Option<Moving> {
        &mut self.moving
    }
}

enum Mail {
    Comes(Passing),
    Look,
    Over(usize),
    Stop,
}

/// Each batch that left a lane, by its size.
type Calls = Arc<Mutex<Vec<usize>>>;

struct OneLane {
    mailbox: Sender<Mail>,
    calls: Calls,
}

/// A lane that goes by who is on the way alone: no moment ever passes.
fn lane(number: u64, traffic: &Arc<Traffic>, limit: usize) -> OneLane {
    let (mailbox, mail) = channel();
    let calls = Calls::default();
    let gathering = Gathering::new(Target::List(ListId(number)), Arc::clone(traffic), NOW);
    let (me, log) = (mailbox.clone(), Arc::clone(&calls));
    spawn(move || keep_lane(gathering, limit, &mail, &me, &log));
    OneLane { mailbox, calls }
}

fn keep_lane(
    mut gathering: Gathering<Passing>,
    limit: usize,
    mail: &Receiver<Mail>,
    me: &Sender<Mail>,
    calls: &Calls,
) {
    let patience = Patience { limit, quiet: Duration::ZERO, longest: Duration::MAX };
    let (mut looking, mut out) = (false, 0);
    while let Ok(mail) = mail.recv() {
        match mail {
            Mail::Comes(item) => gathering.come(item, NOW),
            Mail::Look => looking = false,
            Mail::Over(items) => {
                out -= 1;
                gathering.over(items, true);
            }
            Mail::Stop => return,
        }
        while let Some(Leaving { batch, .. }) = gathering.next(&patience, NOW) {
            out += 1;
            assert!(out <= BATCHES_AT_ONCE && batch.len() <= limit, "{out} out, {} in this one", batch.len());
            lock(calls).push(batch.len());
            let me = me.clone();
            spawn(move || {
                let items = batch.len();
                for item in batch {
                    item.reply.send(item.moving).unwrap();
                }
                me.send(Mail::Over(items)).unwrap_or_default();
            });
        }
        if gathering.waits_for_company() && !looking {
            looking = true;
            yield_now();
            me.send(Mail::Look).unwrap();
        }
    }
}

/// Sends so many people through lanes, each in the order given for them; the sizes of the batches of each lane.
fn pass(limit: usize, ways: &[&[usize]], opt_out: Option<u32>) -> Vec<Vec<usize>> {
    let traffic = Arc::new(Traffic::default());
    let lanes: Vec<OneLane> = (0..2).map(|number| lane(number, &traffic, limit)).collect();
    // Everybody is on the way before anybody goes, as those are whom one plan hands over.
    let people: Vec<_> = ways.iter().map(|way| (way.to_vec(), traffic.moving(Vec::new()))).collect();
    let people: Vec<_> = (0..)
        .zip(people)
        .map(|(number, (way, moving))| {
            let mailboxes: Vec<_> = lanes.iter().map(|lane| lane.mailbox.clone()).collect();
            spawn(move || {
                let mut moving = Some(moving);
                for (step, lane) in way.iter().enumerate() {
                    let (reply, answered) = channel();
                    let (ahead, opt_out) = (way.len() - step - 1, opt_out == Some(number));
                    let item = Passing { number, ahead, opt_out, moving, reply };
                    assert!(
                        mailboxes[*lane].send(Mail::Comes(item)).is_ok(),
                        "a lane is there as long as anybody"
                    );
                    moving = answered.recv().unwrap();
                    assert!(answered.recv().is_err(), "answered once");
                }
            })
        })
        .collect();
    people.into_iter().for_each(|person| person.join().unwrap());
    let calls = lanes.iter().map(|lane| lock(&lane.calls).clone()).collect();
    for lane in lanes {
        lane.mailbox.send(Mail::Stop).unwrap_or_default();
    }
    calls
}

#[test]
fn a_lane_waits_for_everybody_who_may_come_in_any_order() {
    in_any_order(|| {
        let calls = pass(9, &[&[0, 1], &[0, 1], &[1]], None);
        assert_eq!(calls, [[2], [3]], "one call for all, in each lane");
        let calls = pass(9, &[&[0, 1], &[1]], None);
        assert_eq!(calls, [[1], [2]], "nobody is seen in neither lane");
    });
}

#[test]
fn two_lanes_that_wait_for_each_other_both_go_in_any_order() {
    in_any_order(|| {
        let calls = pass(9, &[&[0, 1], &[1, 0], &[1]], None);
        let people: Vec<usize> = calls.iter().map(|calls| calls.iter().sum()).collect();
        assert_eq!(people, [2, 3]);
    });
}

#[test]
fn full_batches_and_opt_outs_go_and_nobody_is_left_behind_in_any_order() {
    in_any_order(|| {
        let calls = pass(1, &[&[0], &[0], &[0], &[0], &[0], &[0, 1]], Some(5));
        assert_eq!(calls, [vec![1; 6], vec![1]]);
    });
}
