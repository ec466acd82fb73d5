//! Emptying the mirror: first what is in it is shown, then whoever has seen that says yes to exactly that.

use super::App;
use super::control::Done;
use crate::domain::code::Code;
use crate::domain::port::long_work;
use crate::mirror::{Mirror, ShelfError};
use crate::serve::pull::{ClearRequest, ClearView};
use crate::serve::requests::Trouble;
use sha2::{Digest, Sha256};

impl App {
    /// Shows what is in the mirror, or empties it. Nothing in it is hsmc's own: the next pulls read everything again.
    ///
    /// # Errors
    /// Nothing is in it; somebody pulls; what is in it is not what was said yes to; or the disk.
    pub async fn clear_mirror(&self, request: ClearRequest) -> Done<ClearView> {
        let mirror = self.filled_mirror().await?;
        let Some(confirm) = request.confirm else { return Ok(shown(&mirror)?) };
        let Ok(_nobody_pulls) = self.mirror.pulling.try_lock() else {
            return Err(Trouble::usage(Code::NotNow, "a pull is under way")
                .with_way_out("wait until it is over: `hsmc pull history` tells"));
        };
        let _nobody_keeps = self.keeping.alone().await;
        let view = shown(&mirror)?;
        if view.confirm.as_ref() != Some(&confirm) {
            return Err(Trouble::usage(Code::NotNow, "what is in the mirror is not what was shown any more")
                .with_way_out("look at it again, and confirm that"));
        }
        let cleared = long_work(self.workspace.shared.hands.as_ref(), move |_| mirror.clear()).await?;
        if let Err(error) = cleared {
            self.mirror.condemn().await?;
            return Err(error.into());
        }
        tracing::info!("the mirror was emptied: the next pulls read everything");
        Ok(ClearView { cleared: true, confirm: None, ..view })
    }
}

fn shown(mirror: &Mirror) -> Result<ClearView, ShelfError> {
    let totals = mirror.all_totals()?;
    let of = |is_joined: bool| {
        let some = totals.iter().filter(move |(name, _)| name.contains('>') == is_joined);
        some.map(|(name, totals)| (name.clone(), totals.live)).collect()
    };
    let pulls = mirror.history(None, usize::MAX)?;
    // A number that is another after every change and every pull.
    let generation = mirror.identity()?.map(|identity| identity.generation.0);
    let newest = pulls.first().map(|pull| (pull.number, pull.last.0));
    let state = format!("{generation:?}|{}|{newest:?}", mirror.last_change()?);
    let confirm = Sha256::digest(state.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(ClearView {
        records: of(false),
        associations: of(true),
        pulls: pulls.len() as u64,
        bytes: mirror.size(),
        cleared: false,
        confirm: Some(confirm),
    })
}
