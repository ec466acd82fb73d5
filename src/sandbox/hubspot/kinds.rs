//! In which ways records of two types can be joined (HubSpot contract §10): those that HubSpot defines, and the labels
//! that somebody has defined. Each has a number of its own in either direction, and none is given twice. It knows no
//! records and nothing of the wire.

use std::collections::BTreeMap;

/// Two types, in the direction somebody looks.
pub(super) type Between<'a> = (&'a str, &'a str);

/// Whose a kind of association is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    /// HubSpot's own.
    HubSpot,
    /// Somebody's label.
    User,
}

impl Category {
    /// The wire's word.
    pub(super) fn wire(self) -> &'static str {
        match self {
            Category::HubSpot => "HUBSPOT_DEFINED",
            Category::User => "USER_DEFINED",
        }
    }
}

/// One kind of association, as one of the two types sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Whose.
    pub(super) category: Category,
    /// Its name, which nobody changes.
    pub(super) name: String,
    /// Its label; the unlabelled kind has none.
    pub(super) label: Option<String>,
    /// The number it has as the other type sees it.
    pub(super) inverse: u64,
}

/// Why a label cannot be defined or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Another kind between the two types has that name or label.
    Taken,
    /// It is HubSpot's own.
    HubSpots,
    /// There is no such kind.
    Unknown,
}

/// All kinds of association.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    between: BTreeMap<(String, String), BTreeMap<u64, Kind>>,
    last: u64,
}

/// HubSpot's own kinds between its own types: the types, each with its singular, the label, and the number in either
/// direction.
type Own = ([&'static str; 2], [&'static str; 2], Option<&'static str>, [u64; 2]);
const OWN: [Own; 8] = [
    (["contacts", "companies"], ["contact", "company"], None, [279, 280]),
    (["contacts", "companies"], ["contact", "company"], Some("Primary"), [1, 2]),
    (["contacts", "deals"], ["contact", "deal"], None, [4, 3]),
    (["deals", "companies"], ["deal", "company"], None, [341, 342]),
    (["deals", "companies"], ["deal", "company"], Some("Primary"), [5, 6]),
    (["contacts", "contacts"], ["contact", "contact"], None, [449, 449]),
    (["companies", "companies"], ["company", "company"], None, [450, 450]),
    (["deals", "deals"], ["deal", "deal"], None, [451, 451]),
];

/// Above all numbers that HubSpot is known to give to kinds of its own.
const FIRST: u64 = 1_001;

impl Default for Kinds {
    fn default() -> Kinds {
        let mut kinds = Kinds { between: BTreeMap::new(), last: FIRST - 1 };
        for ([from, to], singulars, label, numbers) in OWN {
            let twin = OWN.iter().any(|(types, _, label, _)| *types == [from, to] && label.is_some());
            let name = |one: &str, other: &str| match (label, twin) {
                (None, true) => format!("{one}_to_{other}_unlabeled"),
                (None, false) | (Some(_), _) => format!("{one}_to_{other}"),
            };
            let [one, other] = singulars;
            let kind = |name: String| (Category::HubSpot, name, label.map(str::to_owned));
            kinds.put((from, to), numbers, kind(name(one, other)), kind(name(other, one)));
        }
        kinds
    }
}

impl Kinds {
    /// Two types can be joined; the number of the unlabelled kind. The singulars become part of its name.
    pub(super) fn allow(&mut self, between: Between<'_>, (one, other): (&str, &str)) -> u64 {
        if let Some(number) = self.unlabelled(between) {
            return number;
        }
        let numbers = self.next_pair(between, None);
        let kind = |one: &str, other: &str| (Category::HubSpot, format!("{one}_to_{other}"), None);
        self.put(between, numbers, kind(one, other), kind(other, one))
    }

    /// The kind of that number.
    pub(super) fn get(&self, (from, to): Between<'_>, number: u64) -> Option<&Kind> {
        self.between.get(&(from.to_owned(), to.to_owned()))?.get(&number)
    }

    /// All kinds between two types with their numbers: the unlabelled one, then by number.
    pub(super) fn all(&self, (from, to): Between<'_>) -> Vec<(u64, &Kind)> {
        let between = self.between.get(&(from.to_owned(), to.to_owned()));
        let mut all: Vec<(u64, &Kind)> =
            between.into_iter().flatten().map(|(number, kind)| (*number, kind)).collect();
        all.sort_by_key(|(number, kind)| (kind.label.is_some(), *number));
        all
    }

    /// The number of the unlabelled kind; none where two types cannot be joined.
    pub(super) fn unlabelled(&self, between: Between<'_>) -> Option<u64> {
        self.find(between, |kind| kind.label.is_none())
    }

    /// The number of a label.
    pub(super) fn labelled(&self, between: Between<'_>, label: &str) -> Option<u64> {
        self.find(between, |kind| kind.label.as_deref() == Some(label))
    }

    fn find(&self, (from, to): Between<'_>, wanted: impl Fn(&Kind) -> bool) -> Option<u64> {
        let between = self.between.get(&(from.to_owned(), to.to_owned()))?;
        between.iter().find(|(_, kind)| wanted(kind)).map(|(number, _)| *number)
    }

    /// Defines a label; its number. Without an inverse label it reads the same from the other side.
    pub(super) fn define(
        &mut self,
        between: Between<'_>,
        name: &str,
        label: &str,
        inverse: Option<&str>,
    ) -> Result<u64, Refused> {
        let (from, to) = between;
        let other = inverse.unwrap_or(label);
        if self.is_taken(between, label, None)
            || self.is_taken((to, from), other, None)
            || self.find(between, |kind| kind.name == name).is_some()
        {
            return Err(Refused::Taken);
        }
        Ok(self.make(between, name, label, inverse))
    }

    /// The number of a label, which is defined where it is not.
    pub(super) fn labelled_or_made(&mut self, between: Between<'_>, label: &str) -> u64 {
        self.labelled(between, label).unwrap_or_else(|| self.make(between, label, label, None))
    }

    fn make(&mut self, between: Between<'_>, name: &str, label: &str, inverse: Option<&str>) -> u64 {
        let numbers = self.next_pair(between, inverse);
        let kind = |label: &str| (Category::User, name.to_owned(), Some(label.to_owned()));
        self.put(between, numbers, kind(label), kind(inverse.unwrap_or(label)))
    }

    /// Gives a label other words. Without an inverse label the other side keeps its own, or follows where both read the
    /// same.
    pub(super) fn relabel(
        &mut self,
        between: Between<'_>,
        number: u64,
        label: &str,
        inverse: Option<&str>,
    ) -> Result<(), Refused> {
        let (from, to) = between;
        let kind = self.users(between, number)?;
        let (back, same) = (kind.inverse, kind.label.clone());
        let follows = self.get((to, from), back).is_some_and(|other| other.label == same);
        let other = inverse.or_else(|| follows.then_some(label));
        if self.is_taken(between, label, Some(number))
            || other.is_some_and(|other| self.is_taken((to, from), other, Some(back)))
        {
            return Err(Refused::Taken);
        }
        self.write((to, from), back, other);
        self.write(between, number, Some(label));
        Ok(())
    }

    /// Takes a label away in both directions; the number it had in the other one.
    pub(super) fn remove(&mut self, between: Between<'_>, number: u64) -> Result<u64, Refused> {
        let (from, to) = between;
        let back = self.users(between, number)?.inverse;
        for ((from, to), number) in [((from, to), number), ((to, from), back)] {
            if let Some(between) = self.between.get_mut(&(from.to_owned(), to.to_owned())) {
                between.remove(&number);
            }
        }
        Ok(back)
    }

    fn users(&self, between: Between<'_>, number: u64) -> Result<&Kind, Refused> {
        let kind = self.get(between, number).ok_or(Refused::Unknown)?;
        match kind.category {
            Category::User => Ok(kind),
            Category::HubSpot => Err(Refused::HubSpots),
        }
    }

    fn is_taken(&self, between: Between<'_>, label: &str, own: Option<u64>) -> bool {
        self.labelled(between, label).is_some_and(|number| Some(number) != own)
    }

    fn write(&mut self, (from, to): Between<'_>, number: u64, label: Option<&str>) {
        let between = self.between.get_mut(&(from.to_owned(), to.to_owned()));
        if let (Some(kind), Some(label)) = (between.and_then(|between| between.get_mut(&number)), label) {
            kind.label = Some(label.to_owned());
        }
    }

    /// Numbers for both directions: one is enough where they cannot be told apart.
    fn next_pair(&mut self, (from, to): Between<'_>, inverse: Option<&str>) -> [u64; 2] {
        let first = self.last + 1;
        self.last = if from == to && inverse.is_none() { first } else { first + 1 };
        [first, self.last]
    }

    fn put(
        &mut self,
        (from, to): Between<'_>,
        [number, back]: [u64; 2],
        there: (Category, String, Option<String>),
        here: (Category, String, Option<String>),
    ) -> u64 {
        // What one direction is called comes last, so that it stands where both have one number.
        for ((from, to), number, inverse, (category, name, label)) in
            [((to, from), back, number, here), ((from, to), number, back, there)]
        {
            let between = self.between.entry((from.to_owned(), to.to_owned())).or_default();
            between.insert(number, Kind { category, name, label, inverse });
        }
        number
    }
}
