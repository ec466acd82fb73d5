//! The codes of what an operator can meet: a number that is looked up, a title, and a page that says what to do.
//!
//! One cause has one code, wherever it shows: as an error, in a report, beside a person, in an alert. Promises: a
//! number means the same in every version, and one that is given up is not given to anything else
//! (`tests/codes.rs` holds them). Never: an exit code, a retry, or anything else that a program decides by a code.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Each code is written down once: its name, its number, its title. The page lies at `docs/errors/HSMC<number>.md`.
macro_rules! codes {
    ($($name:ident = $number:literal: $title:literal,)+) => {
        /// What an operator can meet. Grouped by the first digit: 1 command line, config and API, 2 accounts, 3 state
        /// directory, 4 runs, 5 people and their moves, 6 alerts and telling them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)+
        }

        impl Code {
            /// All of them, by number.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// What it is, in one line.
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$name => $title,)+
                }
            }

            /// Its page: what it means and what to do, as Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(
                        concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/HSMC", $number, ".md")
                    ),)+
                }
            }
        }
    };
}

codes! {
    // 10xx: the command line
    CommandLine = 1001: "the command line cannot be read",
    NoAddress = 1002: "this is no email address",
    NothingSuch = 1003: "there is nothing of this number or name",
    NobodySeen = 1004: "nobody with this address is known",
    NotNow = 1005: "this cannot be asked for as things stand",
    NobodySaidYes = 1006: "nothing was done: nobody said yes",
    FileNamed = 1007: "a file named on the command line cannot be used",
    PlanFile = 1008: "the plan file cannot be used",
    NothingKept = 1009: "there is nothing kept to show",
    Output = 1010: "the answer cannot be written, or the terminal not read",

    // 11xx: the config
    ConfigUnreadable = 1101: "the config file cannot be read",
    ConfigNoToml = 1102: "the config file is no TOML",
    ConfigUnknownKey = 1103: "hsmc knows no such key",
    ConfigMissing = 1104: "a key of the config is missing or empty",
    ConfigValue = 1105: "a value of the config is not what belongs there",
    ConfigReference = 1106: "a secret or reference cannot be looked up",
    ConfigContradiction = 1107: "keys of the config contradict each other",
    ConfigNotTakenOver = 1108: "a changed config was not taken over",
    LogFile = 1109: "the log file cannot be written",
    NobodyToTell = 1110: "the config names nobody to tell of alerts",

    // 12xx: the HTTP API
    ApiNotServed = 1201: "the API cannot be served",
    TokenNotTaken = 1202: "no token, or none that is good",
    ScopeTooNarrow = 1203: "the token's scope does not reach so far",
    TooManyRequests = 1204: "too many requests",
    RequestMalformed = 1205: "the request is not what belongs there",
    NoSuchPath = 1206: "the API has no such path or method",
    AnswerTakesLong = 1207: "the answer takes too long",
    WebhookRefused = 1208: "a webhook is refused",

    // 20xx: what the accounts let hsmc do
    CredentialsRefused = 2001: "a service refuses the credentials",
    RightsMissing = 2002: "the credentials lack a right, or the account a feature",
    WrongPortal = 2003: "the token belongs to another HubSpot portal",
    PortalNotNamed = 2004: "the config names no HubSpot portal",
    AudienceMissing = 2005: "Mailchimp has no such audience",
    QuotaUsedUp = 2006: "a service's daily quota is used up",
    TooFast = 2007: "a service asks hsmc to slow down",
    ServiceAway = 2008: "a service does not answer, or answers with an error of its own",
    AnswerLost = 2009: "the answer of a call was lost: it may have happened",
    CallRefused = 2010: "a service refuses a call for good",
    ClockWrong = 2011: "this machine's clock is not the services'",
    WrongAudience = 2012: "the state directory is about another Mailchimp audience",

    // 21xx: what the config names in them
    ListMissing = 2101: "HubSpot has no such list",
    ListNotOfContacts = 2102: "the list does not hold contacts",
    ListDynamic = 2103: "a list that people are put into is dynamic",
    ListUnfinished = 2104: "HubSpot is still building the list",
    PropertyMissing = 2105: "there is no such contact property, or the mirror does not keep it",
    PropertyReadOnly = 2106: "the property is read-only in HubSpot",
    SubscriptionType = 2107: "the subscription type is not there, or cannot be used",
    ExitTagUnknown = 2108: "nobody has ever borne the exit tag",
    TargetAway = 2109: "a list, tag, property or audience is gone, or cannot be written",

    // 30xx: the state directory
    StateInUse = 3001: "the state directory is in use by another process",
    StateNewer = 3002: "the state directory was written by a newer hsmc",
    StateDamaged = 3003: "the journal is damaged",
    DiskRefuses = 3004: "the disk refuses a write",
    StateUnusable = 3005: "a file of the state directory cannot be read or made",
    StoreClosed = 3006: "the journal is closed",
    RecordDamaged = 3007: "a record of the journal cannot be read",
    MoveIncompatible = 3008: "this hsmc cannot go on with a move",
    SnapshotUnusable = 3009: "what a scan saw cannot be read",
    BackupUnusable = 3010: "the backup cannot be used",
    BackupInTheWay = 3011: "there is something already where the backup shall go",
    StateOccupied = 3012: "the state directory holds a journal already",
    NoAnswer = 3013: "the running hsmc does not answer",
    EvidenceBroken = 3014: "the chain of evidence does not hold",
    MirrorDamaged = 3015: "the mirror is damaged",

    // 40xx: how runs end
    ApprovalAsked = 4001: "a plan waits for a yes",
    GateAsked = 4002: "a plan touches too many people and waits for a yes",
    PlanChanged = 4003: "too much of a shown plan has changed: it waits for another yes",
    ApplyNever = 4004: "apply = \"never\": a plan was made, and nothing else",
    RunUnfit = 4005: "a run failed: the accounts are not as the config says",
    MovesWait = 4006: "a run failed: moves wait for a service",
    MovesStuck = 4007: "moves are stuck",
    Interrupted = 4008: "it was interrupted",
    PlanLapsed = 4009: "a run ended without applying its plan",
    RunUnderWay = 4010: "a run is under way",
    Inside = 4011: "something inside hsmc broke off",
    ReadInCircles = 4012: "a service answers the same page over and over",
    FailsAgain = 4013: "the same failure, run after run",
    NoProgress = 4014: "runs plan, and get nothing done",

    // 41xx: limits
    ArchiveLimit = 4101: "max_archives_per_run leaves people out",
    AudienceCap = 4102: "audience_cap is reached, or nearly",
    WindowClosed = 4103: "enroll_between holds mail back",

    // 50xx: why a service, or hsmc, refuses something for one person
    FakeAddress = 5001: "Mailchimp takes the address for fake",
    Compliance = 5002: "Mailchimp holds the person in a compliance state",
    DeletedForGood = 5003: "Mailchimp has deleted the person permanently",
    TooManySignups = 5004: "the person signed up to too many lists lately",
    NotFound = 5005: "what the call is about is not there",
    AlreadyExists = 5006: "what was to be created is there already",
    InvalidValue = 5007: "a value or field is refused",
    MissingProperty = 5008: "HubSpot demands a property that is missing",
    NotRemovable = 5009: "Mailchimp does not let the member be archived",
    NotWritable = 5010: "the list or property is not hsmc's to write",
    InvalidAddress = 5011: "the address is malformed",
    Refused = 5012: "a service refuses something for one person",
    Undone = 5013: "an operator has undone it",
    OptedOut = 5014: "the person has opted out meanwhile",
    ArchivedMeanwhile = 5015: "the member was archived by somebody else meanwhile",
    Unwanted = 5016: "the person's lists or tags no longer lead to this",

    // 51xx: why hsmc leaves somebody alone
    Contested = 5101: "somebody else keeps taking back what hsmc does",
    Unresolved = 5102: "HubSpot shows nobody by this address any more",
    WithoutAddress = 5103: "the contact has no usable address",
    Twin = 5104: "two contacts share one address",
    ArchivedByOthers = 5105: "the member was archived, and not by hsmc",
    AddressChanged = 5106: "the member's address was changed in Mailchimp only",
    SecondMember = 5107: "the contact has a second member in Mailchimp",

    // 60xx: alerts of their own, and telling them
    OptOutsKeptBack = 6001: "apply = \"never\" keeps opt-outs back",
    OptOutsLate = 6002: "opt-outs are not delivered in time",
    ManyOptOuts = 6003: "many people opted out at once",
    RunOverdue = 6004: "no run begins, though one is due",
    Stopped = 6005: "hsmc has stopped: its journal cannot be read or written",
    AlertNotTold = 6006: "an alert cannot be told",
}

impl Code {
    /// Its number: never another's.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code of a number; none when this version knows none.
    pub fn of_number(number: u16) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through `pad`, so that codes line up in lists.
        f.pad(&format!("HSMC{:04}", self.number()))
    }
}

/// The text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no code of this hsmc: codes look like HSMC3001")]
pub struct NoCode;

/// As it is printed, or only the number.
impl FromStr for Code {
    type Err = NoCode;

    fn from_str(text: &str) -> Result<Code, NoCode> {
        let text = text.trim();
        let digits = match text.split_at_checked(4) {
            Some((start, digits)) if start.eq_ignore_ascii_case("hsmc") => digits,
            _ => text,
        };
        let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number).and_then(Code::of_number).ok_or(NoCode)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^HSMC[0-9]{4}$",
            "description": "What it is: `hsmc explain CODE`, or /v1/codes/CODE, tells what to do."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_printed_or_by_its_number_and_nothing_else_is_one() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
            assert_eq!(code.to_string().to_lowercase().parse(), Ok(*code));
            assert_eq!(code.number().to_string().parse(), Ok(*code));
        }
        for text in ["", "HSMC", "HSMC1", "HSMC9999", "HSMC+100", "HSMC01001", "E1001", "hsmc 1001", "é1001"]
        {
            assert_eq!(text.parse::<Code>(), Err(NoCode), "{text}");
        }
    }

    #[test]
    fn codes_line_up_where_they_are_listed() {
        assert_eq!(format!("{:<10}|", Code::StateInUse), "HSMC3001  |");
        assert_eq!(serde_json::to_string(&Code::StateInUse).unwrap_or_default(), "\"HSMC3001\"");
    }
}
