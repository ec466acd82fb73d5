//! `hsmc explain`: the pages as they are written, and the list of them.

use crate::cli::table::Layout;
use crate::serve::explained::ExplainedView;

/// What the first two digits stand for.
const GROUPS: [(u16, &str); 11] = [
    (10, "the command line"),
    (11, "the config"),
    (12, "the API and webhooks"),
    (20, "what the accounts let hsmc do"),
    (21, "what the config names in the accounts"),
    (30, "the state directory"),
    (40, "how runs end"),
    (41, "limits"),
    (50, "why something is refused for one person"),
    (51, "why hsmc leaves somebody alone"),
    (60, "alerts of their own, and telling them"),
];

/// All codes, by number, under what their first digits stand for.
pub fn codes(all: &[ExplainedView], layout: Layout) -> String {
    let mut text = String::new();
    for (group, what) in GROUPS {
        text.push_str(&format!("{what}\n"));
        for one in all.iter().filter(|one| one.code.number() / 100 == group) {
            text.push_str(&layout.labelled(&format!("  {}", one.code), &one.title));
        }
        text.push('\n');
    }
    text.push_str("what to do about one: hsmc explain CODE\n");
    text
}

/// One page: Markdown that reads well as it is.
pub fn page(view: &ExplainedView) -> String {
    view.page.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::code::Code;

    #[test]
    fn every_code_is_listed_under_its_group_within_80_columns() {
        let all: Vec<ExplainedView> = Code::ALL.iter().map(|code| ExplainedView::titled(*code)).collect();
        let text = codes(&all, Layout::PLAIN);
        for code in Code::ALL {
            assert_eq!(text.matches(&code.to_string()).count(), 1, "{code}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
