//! What can go wrong with a call, in the terms the engine decides by (design §5): retry? may it
//! have happened? what should the operator do?

use super::code::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// One of the two remote services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Service {
    /// HubSpot.
    HubSpot,
    /// Mailchimp.
    Mailchimp,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::HubSpot => "HubSpot",
            Service::Mailchimp => "Mailchimp",
        })
    }
}

/// The class of a failed call. It decides what happens next; the texts beside it are for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureClass {
    /// Nothing happened; the same call may be sent again after a back-off.
    Transient,
    /// Nothing happened; the account is to be left alone for a while. Costs no attempt.
    RateLimited {
        /// How long, when the answer said so.
        retry_after: Option<Duration>,
    },
    /// Refused for this input; sending it again changes nothing.
    Permanent,
    /// The call may have happened: probe before anything else.
    InDoubt,
    /// The credentials are refused: that side stops until they work again.
    Unauthorized,
    /// The account or the config is not as this call needs it (scope, plan, missing list): that kind
    /// of call stops until the operator acts.
    Misconfigured,
    /// What the call is about as a whole, a list, a tag or the audience, is not there or not to be written. Nothing
    /// happened, and nothing is wrong with anybody: it waits until that is put right.
    TargetAway,
}

/// Why a service refuses something for one person, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefusalCode {
    /// Mailchimp: "looks fake or invalid".
    FakeAddress,
    /// Mailchimp: compliance state, the person opted out, bounced or was removed.
    Compliance,
    /// Mailchimp: permanently deleted earlier.
    Forgotten,
    /// Mailchimp: "signed up to a lot of lists very recently": later, perhaps.
    TooManySignups,
    /// The record or member is not there.
    NotFound,
    /// It exists already although it was to be created.
    AlreadyExists,
    /// A value or field was refused.
    InvalidValue,
    /// A property the portal demands is missing (names it in the message).
    MissingProperty,
    /// Mailchimp 405: this member cannot be archived (archived, cleaned or pending).
    NotRemovable,
    /// The list is dynamic, the property gone or read-only, or otherwise not ours to write.
    NotWritable,
    /// The address itself is malformed.
    InvalidAddress,
    /// Anything else, with the service's text in the message.
    Other,
    /// An operator undid what hsmc had done: it is not done again on the same input.
    Undone,
    /// The person has opted out since the plan was made: said by hsmc's own last look, not by a service.
    OptedOut,
    /// The member was archived by somebody else since the plan was made: said by hsmc's own look.
    Archived,
    /// The lists the person is in, or their tags, no longer lead to this: said by hsmc's own look.
    Unwanted,
}

impl RefusalCode {
    /// All of them.
    pub const ALL: [RefusalCode; 16] = [
        RefusalCode::FakeAddress,
        RefusalCode::Compliance,
        RefusalCode::Forgotten,
        RefusalCode::TooManySignups,
        RefusalCode::NotFound,
        RefusalCode::AlreadyExists,
        RefusalCode::InvalidValue,
        RefusalCode::MissingProperty,
        RefusalCode::NotRemovable,
        RefusalCode::NotWritable,
        RefusalCode::InvalidAddress,
        RefusalCode::Other,
        RefusalCode::Undone,
        RefusalCode::OptedOut,
        RefusalCode::Archived,
        RefusalCode::Unwanted,
    ];

    /// The code whose page says what to do about it.
    pub fn code(self) -> Code {
        match self {
            RefusalCode::FakeAddress => Code::FakeAddress,
            RefusalCode::Compliance => Code::Compliance,
            RefusalCode::Forgotten => Code::DeletedForGood,
            RefusalCode::TooManySignups => Code::TooManySignups,
            RefusalCode::NotFound => Code::NotFound,
            RefusalCode::AlreadyExists => Code::AlreadyExists,
            RefusalCode::InvalidValue => Code::InvalidValue,
            RefusalCode::MissingProperty => Code::MissingProperty,
            RefusalCode::NotRemovable => Code::NotRemovable,
            RefusalCode::NotWritable => Code::NotWritable,
            RefusalCode::InvalidAddress => Code::InvalidAddress,
            RefusalCode::Other => Code::Refused,
            RefusalCode::Undone => Code::Undone,
            RefusalCode::OptedOut => Code::OptedOut,
            RefusalCode::Archived => Code::ArchivedMeanwhile,
            RefusalCode::Unwanted => Code::Unwanted,
        }
    }

    /// Whether a service said so, and not an operator or hsmc's own look.
    pub fn is_a_services(self) -> bool {
        !matches!(
            self,
            RefusalCode::Undone | RefusalCode::OptedOut | RefusalCode::Archived | RefusalCode::Unwanted
        )
    }

    /// A stable word for reports and records: `fake-address`, `compliance`, …
    pub fn word(self) -> &'static str {
        match self {
            RefusalCode::FakeAddress => "fake-address",
            RefusalCode::Compliance => "compliance",
            RefusalCode::Forgotten => "forgotten",
            RefusalCode::TooManySignups => "too-many-signups",
            RefusalCode::NotFound => "not-found",
            RefusalCode::AlreadyExists => "already-exists",
            RefusalCode::InvalidValue => "invalid-value",
            RefusalCode::MissingProperty => "missing-property",
            RefusalCode::NotRemovable => "not-removable",
            RefusalCode::NotWritable => "not-writable",
            RefusalCode::InvalidAddress => "invalid-address",
            RefusalCode::Other => "refused",
            RefusalCode::Undone => "undone",
            RefusalCode::OptedOut => "opted-out",
            RefusalCode::Archived => "archived",
            RefusalCode::Unwanted => "unwanted",
        }
    }
}

/// A refusal for one person: the code, and the service's words with every address taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of refusal.
    pub code: RefusalCode,
    /// The service's own words, at most 300 characters, addresses removed.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.message)
    }
}

/// A call that failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailure {
    /// Which side.
    pub service: Service,
    /// What to do about it.
    pub class: FailureClass,
    /// The refusal, where the class is `Permanent`; what it would be for a single person.
    pub refusal: RefusalCode,
    /// The HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// Which call it was, in words: `add to list 946`.
    pub what: String,
    /// One line, addresses and tokens removed, at most 300 characters.
    pub message: String,
    /// The service's trace id (`correlationId`, `instance`), for their support.
    pub trace: Option<String>,
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.service, self.what)?;
        match self.status.map(|status| status.to_string()) {
            Some(status) if self.message != status => write!(f, "{status}, {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CallFailure {}

/// Who is told to stay away for longer was not too fast: the day's quota is used up, or the account is being moved.
const A_MOMENT: Duration = Duration::from_secs(600);

impl FailureClass {
    /// The code of a call that failed in this way.
    pub fn code(self) -> Code {
        match self {
            FailureClass::Transient => Code::ServiceAway,
            FailureClass::RateLimited { retry_after: Some(wait) } if wait > A_MOMENT => Code::QuotaUsedUp,
            FailureClass::RateLimited { .. } => Code::TooFast,
            FailureClass::Permanent => Code::CallRefused,
            FailureClass::InDoubt => Code::AnswerLost,
            FailureClass::Unauthorized => Code::CredentialsRefused,
            FailureClass::Misconfigured => Code::RightsMissing,
            FailureClass::TargetAway => Code::TargetAway,
        }
    }

    /// What an operator does about a command that ended with it.
    pub fn way_out(self) -> &'static str {
        match self {
            FailureClass::Transient | FailureClass::InDoubt => {
                "see whether the way there is open (DNS, proxy, the service's status page); the same command goes on from there"
            }
            FailureClass::RateLimited { .. } => "wait that long; the same command goes on from there",
            FailureClass::Unauthorized => {
                "put a token or key that works into the config; `hsmc check` tries it"
            }
            FailureClass::Misconfigured => {
                "give the token or key the right that is named, and see what `hsmc check` says"
            }
            FailureClass::Permanent | FailureClass::TargetAway => {
                "see what the service says of it; `hsmc check` looks whether the config names what is there"
            }
        }
    }
}

impl CallFailure {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        self.class.code()
    }

    /// The refusal this failure means for a single person.
    pub fn as_refusal(&self) -> Refusal {
        Refusal { code: self.refusal, message: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_sends_hsmc_away_for_hours_has_no_quota_left_one_that_does_for_seconds_was_asked_too_fast()
     {
        let told = |secs| FailureClass::RateLimited { retry_after: Some(Duration::from_secs(secs)) }.code();
        assert_eq!(told(10), Code::TooFast);
        assert_eq!(told(7_200), Code::QuotaUsedUp);
        assert_eq!(FailureClass::RateLimited { retry_after: None }.code(), Code::TooFast);
    }
}
