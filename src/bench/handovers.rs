//! Ten thousand handovers at once, whose steps share calls in lanes; and some with lanes that carry one step a call, as
//! without them.

use super::error::BenchError;
use super::floor;
use super::runs::{LATENCY, Taken};
use super::stage::{Stage, sync};
use super::{Found, Size};
use crate::app::Ports;
use crate::sandbox::Sandbox;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::scenario::agency_without_people;
use crate::serve::bench::{Figure, Unit};
use std::path::Path;

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (many, few) = size.pick((10_000, 500), (60, 20));
    let (together, with_lanes, kinds) = one(&folder.join("together"), many, usize::MAX).await?;
    let (singly, without, _) = one(&folder.join("singly"), few, 1).await?;
    let mut figures = together.to_vec();
    // What they would take together stands beside them; there is no aim for going without lanes.
    figures.extend(singly.map(|figure| Figure { aim: None, reached: None, ..figure }));
    figures.push(
        Figure::alone("calls for 1,000 handovers with lanes", Unit::Calls, with_lanes)
            .beside("one step a call:", without),
    );
    Ok((figures, vec![format!("{many} handovers at once: {kinds}")]))
}

/// So many handovers, with lanes that carry at most so many steps a call; the figures, calls for a thousand of them, and the
/// most frequent calls.
async fn one(folder: &Path, people: u64, carry: usize) -> Result<([Figure; 2], f64, String), BenchError> {
    let stage = Stage::serve(folder, finished(people), LATENCY).await?;
    let settings: &[(&str, &str)] =
        if carry == 1 { &[("HSMC_MAILCHIMP__BATCH_ABOVE", "100000")] } else { &[] };
    let app = stage.open(settings, Ports { lane_carries: carry, ..Ports::default() })?;
    let ids = app.config.hubspot.list_write_limit as u64;
    let before = floor::reading(&stage.sizes(&app));
    let taken = Taken::of(&stage, sync(&app)).await?;
    let (floor, archived) = {
        let sandbox = stage.sandbox();
        let archived = sandbox.mailchimp.members().filter(|member| member.status == Status::Archived).count();
        (before.then(floor::changing(sandbox.effects.all(), ids)), archived)
    };
    if archived as u64 != people {
        return Err(BenchError::Broke(format!("of {people} handovers, {archived} came to their end")));
    }
    app.close().await;
    drop(app);
    stage.close().await;
    let how = if carry == 1 { ", one step a call" } else { "" };
    let figures = taken.figures(&format!("{people} handovers at once{how}"), floor);
    #[expect(clippy::cast_precision_loss, reason = "calls and people are far below 2^52")]
    let of_a_thousand = (taken.calls - before.all().min(taken.calls)) as f64 * 1_000.0 / people as f64;
    Ok((figures, of_a_thousand, taken.kinds))
}

/// So many people who have come to the end of their journey.
fn finished(people: u64) -> Sandbox {
    let mut builder = agency_without_people();
    for number in 1..=people {
        let email = format!("person{number}@example.com");
        let contact = builder.contact(&[("email", &email), ("firstname", "Ada"), ("lastname", "Archer")]);
        builder.join(987, contact);
        builder
            .member(&email, Status::Subscribed)
            .field(&email, "FNAME", "Ada")
            .field(&email, "LNAME", "Archer");
        builder.tag(&email, "General Single").tag(&email, "General Single Finished");
    }
    builder.build()
}
