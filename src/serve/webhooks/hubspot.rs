//! HubSpot's webhooks (HubSpot contract §13): signature v3, a JSON array of up to 100 events.

use super::{Delivery, Event, HubSpotSource, Refusal, Whom, is_fresh, mark};
use crate::domain::failure::Service;
use crate::domain::hint::Says;
use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use serde::Deserialize;
use serde_json::Value;

/// The header of the signature.
pub const SIGNATURE: &str = "x-hubspot-signature-v3";
/// The header of the moment of signing, in milliseconds.
pub const MOMENT: &str = "x-hubspot-request-timestamp";

/// The most events of one delivery.
const MOST: usize = 100;
/// What a contact is called where an event is of any object.
const CONTACT: &str = "0-1";

/// What of an event matters. Everything else is passed over, whatever it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    event_id: Option<u64>,
    portal_id: u64,
    #[serde(default)]
    occurred_at: i64,
    #[serde(alias = "eventType")]
    subscription_type: String,
    object_type_id: Option<String>,
    object_id: Option<u64>,
    property_name: Option<String>,
    primary_object_id: Option<u64>,
    #[serde(default)]
    merged_object_ids: Vec<u64>,
    new_object_id: Option<u64>,
    from_object_id: Option<u64>,
}

/// Checks a delivery and reads it.
///
/// # Errors
/// Why it is not taken.
pub fn take(
    source: &HubSpotSource,
    signature: Option<&str>,
    moment: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Delivery, Refusal> {
    let (signature, moment) = signature.zip(moment).ok_or(Refusal::Unsigned)?;
    let at: i64 = moment.parse().map_err(|_| Refusal::Malformed)?;
    if !is_fresh(Timestamp(at), now) {
        return Err(Refusal::Stale);
    }
    let mac = STANDARD.decode(signature).map_err(|_| Refusal::Forged)?;
    let signed: [&[u8]; 4] = [b"POST", source.url.as_bytes(), body, moment.as_bytes()];
    source.key.over(&signed).verify_slice(&mac).map_err(|_| Refusal::Forged)?;
    let all: Vec<Value> = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    if all.len() > MOST {
        return Err(Refusal::Malformed);
    }
    // One of a shape that nobody knows holds up none of the others.
    let many = all.len();
    let mut told: Vec<Told> = all.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect();
    if many > 0 && told.is_empty() {
        return Err(Refusal::Malformed);
    }
    // An app may be in several portals, and all of them call the same address.
    told.retain(|told| source.portal.is_none_or(|portal| portal == told.portal_id));
    if many > 0 && told.is_empty() {
        return Err(Refusal::Foreign);
    }
    let unreadable = many - told.len();
    let events = told.iter().filter(|told| told.is_of_a_contact()).map(Told::event).collect();
    Ok(Delivery { service: Service::HubSpot, mark: mark(&[&mac]), events, unreadable })
}

impl Told {
    fn is_of_a_contact(&self) -> bool {
        self.subscription_type.starts_with("contact.")
            || (self.subscription_type.starts_with("object.")
                && self.object_type_id.as_deref() == Some(CONTACT))
    }

    /// The contact shows its opt-outs as properties, one for each kind of mail (HubSpot contract §12).
    fn says(&self) -> Says {
        let is_consent = |name: &str| name.starts_with("hs_email_optout");
        match self.property_name.as_deref().is_some_and(is_consent) {
            true => Says::OptedOut,
            false => Says::Changed,
        }
    }

    fn event(&self) -> Event {
        let number = |number: Option<u64>| number.unwrap_or_default().to_le_bytes();
        let mark = mark(&[
            &self.portal_id.to_le_bytes(),
            self.subscription_type.as_bytes(),
            &number(self.object_id),
            &number(self.event_id),
            &self.occurred_at.to_le_bytes(),
            self.property_name.as_deref().unwrap_or_default().as_bytes(),
        ]);
        let singles = [self.object_id, self.primary_object_id, self.new_object_id, self.from_object_id];
        let mut whom: Vec<Whom> = singles
            .into_iter()
            .flatten()
            .chain(self.merged_object_ids.iter().copied())
            .map(|id| Whom::Record(RecordId(id)))
            .collect();
        whom.sort_unstable();
        whom.dedup();
        Event { mark, whom, says: self.says() }
    }
}

/// The signature of a delivery, as HubSpot makes it: for tests and for whoever plays HubSpot.
pub fn sign(source: &HubSpotSource, body: &[u8], moment: &str) -> String {
    let signed: [&[u8]; 4] = [b"POST", source.url.as_bytes(), body, moment.as_bytes()];
    STANDARD.encode(source.key.over(&signed).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_795_442_400_000);

    fn source() -> HubSpotSource {
        let url = "https://sync.example.com/v1/webhooks/hubspot".to_owned();
        HubSpotSource { key: SigningKey::new("client-secret").unwrap(), url, portal: Some(7) }
    }

    fn taken(body: &[u8], at: i64) -> Result<Delivery, Refusal> {
        let (source, moment) = (source(), at.to_string());
        let signature = sign(&source, body, &moment);
        take(&source, Some(&signature), Some(&moment), body, NOW)
    }

    fn event(id: u64, object: u64) -> serde_json::Value {
        serde_json::json!({
            "eventId": id, "subscriptionId": 1, "portalId": 7, "appId": 3, "occurredAt": NOW.0,
            "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": object,
            "propertyName": "hs_email_optout", "propertyValue": "true", "changeSource": "CRM",
        })
    }

    #[test]
    fn a_batch_is_read_and_the_same_event_is_known_again_by_any_attempt() {
        let mut again = event(1, 51);
        again["attemptNumber"] = 3.into();
        let merge = serde_json::json!({
            "eventId": 9, "portalId": 7, "occurredAt": 1, "subscriptionType": "contact.merge",
            "objectId": 51, "primaryObjectId": 51, "mergedObjectIds": [51, 52], "newObjectId": 60,
        });
        let company = serde_json::json!({
            "eventId": 2, "portalId": 7, "occurredAt": 1, "subscriptionType": "company.creation", "objectId": 5,
        });
        let body = serde_json::to_vec(&[event(1, 51), again, event(2, 51), merge, company]).unwrap();
        let events = taken(&body, NOW.0).unwrap().events;
        assert_eq!(events.len(), 4, "companies are nobody's");
        assert_eq!(events[0], events[1]);
        assert_eq!([&events[0], &events[3]].map(|event| event.says), Says::ALL);
        assert_ne!(events[0].mark, events[2].mark);
        let records = [51, 52, 60].map(|id| Whom::Record(RecordId(id)));
        assert_eq!(events[3].whom, records);
    }

    #[test]
    fn an_event_of_a_shape_that_nobody_knows_holds_up_none_of_the_others() {
        let mut odd = event(3, 53);
        odd["objectId"] = serde_json::json!({ "id": 53 });
        let mut other = event(4, 54);
        other["portalId"] = 8.into();
        let body = serde_json::to_vec(&[event(1, 51), odd, 7.into(), other, event(2, 52)]).unwrap();
        let delivery = taken(&body, NOW.0).unwrap();
        let whom: Vec<Whom> = delivery.events.into_iter().flat_map(|event| event.whom).collect();
        assert_eq!(whom, [51, 52].map(|id| Whom::Record(RecordId(id))));
        assert_eq!(delivery.unreadable, 3);
    }

    #[test]
    fn what_is_not_fresh_whole_or_of_this_portal_is_refused() {
        let body = serde_json::to_vec(&[event(1, 51)]).unwrap();
        assert!(taken(&body, NOW.0 - 299_000).is_ok());
        assert_eq!(taken(&body, NOW.0 - 301_000), Err(Refusal::Stale));
        assert_eq!(taken(&body, NOW.0 + 301_000), Err(Refusal::Stale));
        assert_eq!(taken(b"{}", NOW.0), Err(Refusal::Malformed));
        assert_eq!(taken(b"[{}]", NOW.0), Err(Refusal::Malformed));
        let many: Vec<_> = (0..101).map(|id| event(id, id)).collect();
        assert_eq!(taken(&serde_json::to_vec(&many).unwrap(), NOW.0), Err(Refusal::Malformed));
        let mut other = event(1, 51);
        other["portalId"] = 8.into();
        assert_eq!(taken(&serde_json::to_vec(&[other]).unwrap(), NOW.0), Err(Refusal::Foreign));
        let source = source();
        let moment = NOW.0.to_string();
        assert_eq!(take(&source, None, Some(&moment), &body, NOW), Err(Refusal::Unsigned));
        assert_eq!(take(&source, Some("!"), Some(&moment), &body, NOW), Err(Refusal::Forged));
        assert_eq!(take(&source, Some("AAAA"), Some("soon"), &body, NOW), Err(Refusal::Malformed));
    }

    proptest! {
        #[test]
        fn one_changed_byte_of_body_moment_or_signature_is_a_forgery(
            body in proptest::collection::vec(any::<u8>(), 1..200), at in 0usize..200, bit in 0u8..8
        ) {
            let source = source();
            let moment = NOW.0.to_string();
            let signature = sign(&source, &body, &moment);
            let mut other = body.clone();
            let at = at % other.len();
            other[at] ^= 1 << bit;
            prop_assert_eq!(take(&source, Some(&signature), Some(&moment), &other, NOW), Err(Refusal::Forged));
            let later = (NOW.0 + 1).to_string();
            prop_assert_eq!(take(&source, Some(&signature), Some(&later), &body, NOW), Err(Refusal::Forged));
            let mut mac = STANDARD.decode(&signature).unwrap();
            mac[at % 32] ^= 1 << bit;
            let forged = STANDARD.encode(mac);
            prop_assert_eq!(take(&source, Some(&forged), Some(&moment), &body, NOW), Err(Refusal::Forged));
        }

        #[test]
        fn whatever_is_signed_is_read_or_refused_and_never_breaks_anything(
            body in proptest::collection::vec(any::<u8>(), 0..400), text in "\\[\\{.{0,80}\\}\\]"
        ) {
            for body in [body.as_slice(), text.as_bytes()] {
                if let Err(refusal) = taken(body, NOW.0) {
                    prop_assert!(matches!(refusal, Refusal::Malformed | Refusal::Foreign));
                }
            }
        }
    }
}
