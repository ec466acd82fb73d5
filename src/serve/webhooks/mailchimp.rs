//! Mailchimp's webhooks (Mailchimp contract §13): a signing secret, and one event as a form with bracketed names.

use super::{Delivery, Event, MailchimpSource, Refusal, Whom, is_fresh, mark};
use crate::domain::email::Email;
use crate::domain::failure::Service;
use crate::domain::hint::Says;
use crate::domain::time::Timestamp;
use hmac::Mac;
use std::collections::BTreeMap;

/// The header of the signature: `t=<seconds>,v1=<hex>`.
pub const SIGNATURE: &str = "x-mailchimp-signature";

/// Members of a form, at most: an event has a few, and a merge field each.
const MOST: usize = 500;

/// Checks a delivery and reads it.
///
/// # Errors
/// Why it is not taken.
pub fn take(
    source: &MailchimpSource,
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Delivery, Refusal> {
    let signature = signature.ok_or(Refusal::Unsigned)?;
    let parts = || signature.split(',').filter_map(|part| part.trim().split_once('='));
    let moment = parts().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(Refusal::Unsigned)?;
    let seconds: i64 = moment.parse().map_err(|_| Refusal::Malformed)?;
    if !is_fresh(Timestamp(seconds.saturating_mul(1_000)), now) {
        return Err(Refusal::Stale);
    }
    // There may be several, while a secret is changed.
    let macs = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| hex::decode(value).ok());
    let signed: [&[u8]; 3] = [moment.as_bytes(), b".", body];
    let mac =
        macs.take(4).find(|mac| source.key.over(&signed).verify_slice(mac).is_ok()).ok_or(Refusal::Forged)?;
    let mut form: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body).take(MOST) {
        form.entry(name.into_owned()).or_insert_with(|| value.into_owned());
    }
    let field = |name: &str| form.get(name).map(String::as_str);
    let kind = field("type").ok_or(Refusal::Malformed)?;
    let audience = field("data[list_id]").ok_or(Refusal::Malformed)?;
    if audience != source.audience {
        return Err(Refusal::Foreign);
    }
    let addresses = ["data[email]", "data[old_email]", "data[new_email]"];
    let whom: Vec<Whom> = addresses
        .into_iter()
        .filter_map(|name| Email::as_given(field(name)?).ok())
        .map(|email| Whom::Member(email.hash()))
        .collect();
    let known = ["data[id]", "data[new_id]", "data[email]", "fired_at", "data[action]", "data[reason]"];
    let known = known.map(|name| field(name).unwrap_or_default().as_bytes());
    let parts: Vec<&[u8]> = std::iter::once(kind.as_bytes()).chain(known).collect();
    let says = if kind == "unsubscribe" { Says::OptedOut } else { Says::Changed };
    let events = if whom.is_empty() { Vec::new() } else { vec![Event { mark: mark(&parts), whom, says }] };
    Ok(Delivery { service: Service::Mailchimp, mark: mark(&[&mac]), events, unreadable: 0 })
}

/// The signature of a delivery, as Mailchimp makes it: for tests and for whoever plays Mailchimp.
pub fn sign(source: &MailchimpSource, body: &[u8], seconds: i64) -> String {
    let moment = seconds.to_string();
    let mac = source.key.over(&[moment.as_bytes(), b".", body]).finalize().into_bytes();
    format!("t={moment},v1={}", hex::encode(mac))
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_795_442_400_000);
    const SECONDS: i64 = NOW.0 / 1_000;

    fn source() -> MailchimpSource {
        MailchimpSource { key: SigningKey::new("signing-secret").unwrap(), audience: "aud0000001".to_owned() }
    }

    fn taken(body: &str, seconds: i64) -> Result<Delivery, Refusal> {
        let source = source();
        take(&source, Some(&sign(&source, body.as_bytes(), seconds)), body.as_bytes(), NOW)
    }

    fn form(fields: &[(&str, &str)]) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }

    #[test]
    fn an_event_is_about_whoever_has_the_address_or_had_it() {
        let body = form(&[
            ("type", "unsubscribe"),
            ("fired_at", "2026-11-23 14:00:00"),
            ("data[list_id]", "aud0000001"),
            ("data[email]", "Ada@example.com"),
            ("data[action]", "unsub"),
        ]);
        let ada = Whom::Member(Email::parse("ada@example.com").unwrap().hash());
        let delivery = taken(&body, SECONDS).unwrap();
        assert_eq!(delivery.events[0].whom, [ada]);
        assert_eq!(taken(&body, SECONDS - 7).unwrap().events, delivery.events, "sent again");
        assert_ne!(taken(&body, SECONDS - 7).unwrap().mark, delivery.mark, "and signed anew");
        let renamed = form(&[
            ("type", "upemail"),
            ("data[list_id]", "aud0000001"),
            ("data[old_email]", "ada@example.com"),
            ("data[new_email]", "ada@example.org"),
        ]);
        let renamed = taken(&renamed, SECONDS).unwrap().events.remove(0);
        assert_eq!([delivery.events[0].says, renamed.says], Says::ALL);
        assert_eq!(renamed.whom.len(), 2);
        let campaign = form(&[("type", "campaign"), ("data[list_id]", "aud0000001"), ("data[id]", "c1")]);
        assert_eq!(taken(&campaign, SECONDS).unwrap().events, []);
    }

    #[test]
    fn what_is_not_fresh_whole_or_of_this_audience_is_refused() {
        let body = form(&[("type", "unsubscribe"), ("data[list_id]", "aud0000001")]);
        assert_eq!(taken(&body, SECONDS - 301), Err(Refusal::Stale));
        assert_eq!(taken(&body, SECONDS + 302), Err(Refusal::Stale));
        assert_eq!(taken("type=unsubscribe", SECONDS), Err(Refusal::Malformed));
        assert_eq!(
            taken(&form(&[("type", "a"), ("data[list_id]", "other")]), SECONDS),
            Err(Refusal::Foreign)
        );
        let source = source();
        for (signature, why) in [
            (None, Refusal::Unsigned),
            (Some("v1=00".to_owned()), Refusal::Unsigned),
            (Some(format!("t={SECONDS}")), Refusal::Forged),
            (Some(format!("t={SECONDS},v1=00")), Refusal::Forged),
            (Some("t=soon,v1=00".to_owned()), Refusal::Malformed),
        ] {
            assert_eq!(take(&source, signature.as_deref(), body.as_bytes(), NOW), Err(why), "{signature:?}");
        }
        let two = format!(
            "t={SECONDS},v1=00,{}",
            sign(&source, body.as_bytes(), SECONDS).split_once(',').unwrap().1
        );
        assert!(take(&source, Some(&two), body.as_bytes(), NOW).is_ok(), "one of several is right");
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_a_forgery(
            body in proptest::collection::vec(any::<u8>(), 1..200), at in 0usize..200, bit in 0u8..8
        ) {
            let source = source();
            let signature = sign(&source, &body, SECONDS);
            let mut other = body.clone();
            let at = at % other.len();
            other[at] ^= 1 << bit;
            prop_assert_eq!(take(&source, Some(&signature), &other, NOW), Err(Refusal::Forged));
        }

        #[test]
        fn whatever_is_signed_is_read_or_refused(body in ".{0,300}") {
            if let Err(refusal) = taken(&body, SECONDS) {
                prop_assert!(matches!(refusal, Refusal::Malformed | Refusal::Foreign));
            }
        }

        #[test]
        fn whatever_signature_is_sent_is_refused(signature in ".{0,120}") {
            prop_assert!(take(&source(), Some(&signature), b"type=a", NOW).is_err());
        }
    }
}
