//! Calls about communication preferences (HubSpot contract §12). They go by address, also where there
//! is no contact. Nothing here opts anybody in.

use super::client::HubSpotClient;
use super::wire;
use crate::connect::classify::CallKind;
use crate::connect::http::Method;
use crate::connect::lenient::{Lenient, read_rows};
use crate::connect::line::segment;
use crate::domain::email::Email;
use crate::domain::port::{CallResult, ItemOutcome, OptOutBasis, Priority, SubscriptionType};
use crate::domain::step::OptOutScope;
use serde_json::json;

impl HubSpotClient {
    pub(super) async fn read_subscription_types(
        &self,
        priority: Priority,
    ) -> CallResult<Vec<SubscriptionType>> {
        let path = format!("{}/definitions", self.paths.preferences);
        let ask = self.line.ask(priority, CallKind::read("read subscription types"), Method::GET, &path);
        let (answer, body) = self.line.object(&ask).await?;
        let rows = body
            .rows("results")
            .or_else(|| body.rows("subscriptionDefinitions"))
            .ok_or_else(|| self.line.unreadable(&ask, &answer, "results"))?;
        Ok(read_rows(rows, "subscription types", wire::subscription_type))
    }

    fn statuses(&self, email: &Email) -> String {
        format!("{}/statuses/{}", self.paths.preferences, segment(email.as_str()))
    }

    pub(super) async fn write_opt_out(
        &self,
        priority: Priority,
        email: &Email,
        scope: OptOutScope,
        basis: &OptOutBasis,
    ) -> CallResult<ItemOutcome> {
        let statuses = self.statuses(email);
        let ask = match scope {
            OptOutScope::All => {
                let path = format!("{statuses}/unsubscribe-all");
                let call = CallKind::write("opt out of all email");
                self.line.ask(priority, call, Method::POST, &path).query("channel", "EMAIL")
            }
            OptOutScope::Subscription(id) => {
                let call = CallKind::write(format!("opt out of subscription {id}"));
                // Basis and explanation always: portals with data privacy settings demand them.
                self.line.ask(priority, call, Method::POST, &statuses).body(json!({
                    "subscriptionId": id,
                    "statusState": "UNSUBSCRIBED",
                    "channel": "EMAIL",
                    "legalBasis": basis.legal_basis,
                    "legalBasisExplanation": basis.explanation,
                }))
            }
        };
        match self.line.answer(&ask).await {
            Ok(answer) => Ok(answer.json.as_ref().map_or(ItemOutcome::Unknown, wire::opt_out_outcome)),
            // Older forms refuse a repetition: whether that is one is for the probe to say.
            Err(failure)
                if failure.status == Some(400) && failure.message.to_lowercase().contains("already") =>
            {
                Ok(ItemOutcome::Unknown)
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn read_opt_out(
        &self,
        priority: Priority,
        email: &Email,
        scope: OptOutScope,
    ) -> CallResult<bool> {
        let mut path = self.statuses(email);
        if scope == OptOutScope::All {
            path.push_str("/unsubscribe-all");
        }
        let ask = self
            .line
            .ask(priority, CallKind::read("read an opt-out"), Method::GET, &path)
            .query("channel", "EMAIL");
        let (answer, body) = self.line.object(&ask).await?;
        let rows = body.rows("results").ok_or_else(|| self.line.unreadable(&ask, &answer, "results"))?;
        Ok(match scope {
            OptOutScope::All => wire::is_out_of_all(rows),
            OptOutScope::Subscription(id) => wire::is_out_of(rows, id),
        })
    }
}
