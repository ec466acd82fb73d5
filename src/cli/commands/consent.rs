//! `consent`.

use super::Show;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::consent::ConsentRequest;

pub(super) async fn consent<B: Backend>(
    backend: &B,
    what: &ConsentRequest,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    match what {
        ConsentRequest::Of(address) => {
            let view = backend.consent_of(address.clone()).await?;
            show.answer(&view, |layout| render::consent(&view, layout))?;
            Ok(ExitCode::Done)
        }
        ConsentRequest::Verify => {
            let view = backend.verify_consent().await?;
            show.answer(&view, |layout| render::chain(&view, layout))?;
            Ok(if view.broken.is_none() { ExitCode::Done } else { ExitCode::Failed })
        }
    }
}
