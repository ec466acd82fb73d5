//! A small world in which something is due for every kind of move, for two people each, so that batched
//! calls carry more than one. Everybody is settled first by a run; what is due then is what people do.

use crate::stage::{Prepared, Stage};
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::scenario::Builder;
use hsmc::sandbox::{Act, Sandbox};
use std::collections::BTreeMap;
use std::time::Duration;

/// A workspace with every kind of rule in it.
const CONFIG: &str = r#"
[workspace]
name = "crash"

[hubspot]
token = "sandbox-hubspot"
base_url = "@HUBSPOT@"
portal_id = 4200042

[mailchimp]
api_key = "sandbox-mailchimp-us1"
base_url = "@MAILCHIMP@"
audience = "aud0000001"
double_opt_in = false
batch_above = 50

[sync]
apply = "always"

[exclusions]
critical = ["762"]

[[group]]
name = "all"
exclude = ["762", "717"]
precedence = "latest"
list = [
  { id = "719", tag = "Recruitment" },
  { id = "720", tag = "Competition" },
  { id = "987", tag = "General", also = ["Beside"] },
]

[merge_fields]
FNAME = "firstname"

[source_tracking]
import_list = "import_list"
ori_lists = "ori_lists"

[handover_defaults]
archive = true
create_missing = true

[[handover]]
exit_tag = "General Finished"
to = "946"
from = "987"
also_leave = ["900"]

[consent]
subscriptions = "all"
legal_basis = "LEGITIMATE_INTEREST_OTHER"
explanation = "Opted out in Mailchimp"
bounce_property = "mailchimp_bounced"
"#;

/// A segment that feeds a list.
const FEEDS: &str = r#"
[segments.bram]
where = 'firstname = Bram'
feeds = { list = "901" }
"#;

/// How a world differs from the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// New people are members at once; their lists are noted before their tags.
    Plain,
    /// New people are asked first.
    DoubleOptIn,
    /// Nothing is noted of new people, so that one call creates them with their tags.
    Bundled,
    /// A segment feeds a list.
    Feeding,
    /// Single calls go in asynchronous batches as soon as there are two.
    Tickets,
}

impl World {
    pub fn config(self) -> String {
        match self {
            World::Plain => CONFIG.to_owned(),
            World::DoubleOptIn => CONFIG.replace("double_opt_in = false", "double_opt_in = true"),
            World::Bundled => CONFIG.replace("ori_lists = \"ori_lists\"\n", ""),
            World::Feeding => CONFIG.to_owned() + FEEDS,
            World::Tickets => CONFIG.replace("batch_above = 50", "batch_above = 1"),
        }
    }
}

/// What is going to be the matter with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Enroll,
    Refresh,
    Retag,
    Restore,
    HandOver,
    HandOverUnknown,
    Exclude,
    Orphan,
    OptOutHubSpot,
    OptOutMailchimp,
    Bounce,
    Rename,
    Fed,
    FedNoMore,
}

impl Due {
    /// Everything but what only a segment brings about.
    pub const ALL: [Due; 12] = [
        Due::Enroll,
        Due::Refresh,
        Due::Retag,
        Due::Restore,
        Due::HandOver,
        Due::HandOverUnknown,
        Due::Exclude,
        Due::Orphan,
        Due::OptOutHubSpot,
        Due::OptOutMailchimp,
        Due::Bounce,
        Due::Rename,
    ];
}

struct Person {
    due: Due,
    email: String,
}

/// A world in which this is due, for so many people each.
pub async fn prepare(world: World, due: &[Due], each: usize) -> Prepared {
    let people: Vec<Person> = due
        .iter()
        .flat_map(|due| (1..=each).map(|number| (*due, number)))
        .map(|(due, number)| Person { due, email: format!("{due:?}.{number}@example.com").to_lowercase() })
        .collect();
    let config = world.config();
    let stage = Stage::new(settled(&people), &config).await;
    stage.settle(4).await.unwrap_or_else(|problem| panic!("the world does not settle: {problem}"));
    for person in &people {
        happens(&mut stage.held(), person);
    }
    stage.prepared(&config)
}

fn settled(people: &[Person]) -> Sandbox {
    let mut builder = Builder::default();
    let settings = builder.settings();
    settings.index_lag = Duration::ZERO;
    settings.batch_delay = Duration::from_millis(50);
    builder.property("mailchimp_bounced", "string");
    for (list, name) in [
        (719, "Recruitment"),
        (720, "Competition"),
        (987, "General marketing"),
        (762, "Unsubscribed"),
        (717, "Active deals"),
        (946, "General finished"),
        (900, "Wave one"),
        (901, "Fed by a segment"),
    ] {
        builder.list(list, name);
    }
    for tag in ["Recruitment", "Competition", "General", "Beside", "General Finished"] {
        builder.tag_exists(tag);
    }
    // Whoever stays as they are: a plan must not touch most of the audience.
    for number in 1..=5 {
        let email = format!("settled.{number}@example.com");
        enrolled(&mut builder, &email, 720);
    }
    for person in people {
        let email = person.email.as_str();
        match person.due {
            Due::Enroll => {}
            Due::HandOver => {
                let contact = enrolled(&mut builder, email, 987);
                builder.join(900, contact);
            }
            Due::HandOverUnknown => {
                builder.member(email, Status::Subscribed);
            }
            Due::Restore => {
                builder.contact(&[("email", email), ("firstname", "Ada")]);
                member(&mut builder, email).tag(email, "Competition");
            }
            Due::FedNoMore => {
                let contact = builder.contact(&[("email", email), ("firstname", "Bram")]);
                builder.join(720, contact).join(901, contact);
                builder.member(email, Status::Subscribed).field(email, "FNAME", "Bram");
                builder.tag(email, "Competition");
            }
            _ => {
                enrolled(&mut builder, email, 720);
            }
        }
    }
    builder.build()
}

fn enrolled(builder: &mut Builder, email: &str, list: u64) -> u64 {
    let contact = builder.contact(&[("email", email), ("firstname", "Ada")]);
    builder.join(list, contact);
    member(builder, email);
    match list {
        987 => builder.tag(email, "General").tag(email, "Beside"),
        _ => builder.tag(email, "Competition"),
    };
    contact
}

fn member<'a>(builder: &'a mut Builder, email: &str) -> &'a mut Builder {
    builder.member(email, Status::Subscribed).field(email, "FNAME", "Ada")
}

fn happens(sandbox: &mut Sandbox, person: &Person) {
    let email = person.email.clone();
    let contact = email.clone();
    let tag = |tag: &str| Act::SetTag { email: person.email.clone(), tag: tag.to_owned() };
    let acts = match person.due {
        Due::Enroll => {
            let properties = BTreeMap::from([
                ("email".to_owned(), email.clone()),
                ("firstname".to_owned(), "Ada".to_owned()),
            ]);
            vec![Act::AddContact { properties }, Act::JoinList { contact, list: 987 }]
        }
        Due::FedNoMore => {
            vec![Act::SetProperty { contact, property: "firstname".to_owned(), value: "Ada".to_owned() }]
        }
        Due::Refresh | Due::Fed => {
            vec![Act::SetProperty { contact, property: "firstname".to_owned(), value: "Bram".to_owned() }]
        }
        Due::Retag => vec![Act::JoinList { contact, list: 719 }],
        // An old tag comes back by another hand, to come off again before they are restored.
        Due::Restore => vec![Act::JoinList { contact, list: 987 }, tag("Competition")],
        Due::HandOver => vec![tag("General Finished")],
        Due::HandOverUnknown => vec![tag("General"), tag("General Finished")],
        Due::Exclude => vec![Act::JoinList { contact, list: 717 }],
        Due::Orphan => vec![Act::LeaveList { contact, list: 720 }],
        Due::OptOutHubSpot => vec![Act::Unsubscribe { email }],
        Due::OptOutMailchimp => vec![Act::OptOut { email, subscription: None }],
        Due::Bounce => vec![Act::Clean { email }],
        Due::Rename => {
            let value = format!("new.{email}");
            vec![Act::SetProperty { contact, property: "email".to_owned(), value }]
        }
    };
    for act in acts {
        assert!(sandbox.act(&act), "{act:?}");
    }
}
