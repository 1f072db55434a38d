//! What becomes of a field that two write at the same time: the one table.
//!
//! `docs/merge-rules.md` says the same to people, and a test compares the two. The rules
//! themselves are in `document/`; [`crate::Conflict`] names the one that chose the value
//! shown.

/// How concurrent writes of one field become one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MergeRule {
    /// The last writer by hybrid time is shown; the others stand in the conflicts until
    /// somebody writes the field again.
    LastWriter,
    /// Splices are merged character by character. Of two who replace the whole, the last
    /// writer is shown, and both stand in the conflicts.
    Characters,
    /// What was added stays, whoever has removed it without having seen that.
    AddWins,
    /// Every increment counts.
    AddUp,
    /// A deletion that has not seen an edit waits: the listing stays until the host
    /// decides.
    StaysUntilDecided,
    /// The earliest counts.
    Earliest,
    /// The latest counts.
    Latest,
    /// Nobody writes it after the creation.
    Fixed,
}

impl MergeRule {
    /// Its name, in the API and in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastWriter => "last-writer",
            Self::Characters => "characters",
            Self::AddWins => "add-wins",
            Self::AddUp => "add-up",
            Self::StaysUntilDecided => "stays-until-decided",
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::Fixed => "fixed",
        }
    }
}

/// Every field of a listing, by its JSON pointer, and its rule. `/location` is latitude and
/// longitude together, as a price is its amount and currency.
pub const MERGE_RULES: [(&str, MergeRule); 27] = [
    ("/id", MergeRule::Fixed),
    ("/title", MergeRule::LastWriter),
    ("/description", MergeRule::Characters),
    ("/location", MergeRule::LastWriter),
    ("/location/city", MergeRule::LastWriter),
    ("/location/country", MergeRule::LastWriter),
    ("/location/time_zone", MergeRule::LastWriter),
    ("/capacity", MergeRule::LastWriter),
    ("/nightly_price", MergeRule::LastWriter),
    ("/amenities", MergeRule::AddWins),
    ("/photos", MergeRule::AddWins),
    ("/house_rules", MergeRule::LastWriter),
    ("/units", MergeRule::LastWriter),
    ("/slot", MergeRule::LastWriter),
    ("/min_stay", MergeRule::LastWriter),
    ("/max_stay", MergeRule::LastWriter),
    ("/turnover", MergeRule::LastWriter),
    ("/survival", MergeRule::LastWriter),
    ("/home_region", MergeRule::Fixed),
    ("/room_type", MergeRule::LastWriter),
    ("/neighbourhood", MergeRule::LastWriter),
    ("/owner", MergeRule::LastWriter),
    ("/external", MergeRule::LastWriter),
    ("/counters", MergeRule::AddUp),
    ("/created_at", MergeRule::Earliest),
    ("/updated_at", MergeRule::Latest),
    ("/deleted", MergeRule::StaysUntilDecided),
];

/// The rule of a field. A field of a later version shows its last writer.
pub(crate) fn rule_of(field: &str) -> MergeRule {
    let mut rules = MERGE_RULES.iter();
    let known = rules.find(|(known, _)| *known == field);
    known.map_or(MergeRule::LastWriter, |(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use meridian_regions::ListingId;
    use serde_json::Value;

    use super::{MERGE_RULES, MergeRule};
    use crate::{COUNTERS, ListingDocument};

    /// The rows of the table in the documentation.
    fn documented() -> Vec<(String, String)> {
        let page = include_str!("../../../docs/merge-rules.md");
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `/")?.split('|').map(str::trim);
            let field = cells.next()?.trim_end_matches('`');
            let rule = cells.next()?.trim_matches('`');
            Some((format!("/{field}"), rule.to_owned()))
        });
        rows.collect()
    }

    #[test]
    fn documentation_states_the_same_table() {
        let rules = MERGE_RULES.iter();
        let table: Vec<_> = rules
            .map(|(field, rule)| ((*field).to_owned(), rule.name().to_owned()))
            .collect();
        assert_eq!(documented(), table);
    }

    #[test]
    fn every_field_of_a_listing_has_a_rule() {
        let id = ListingId::derived("eu-west".parse().expect("a region"), "test", "1");
        let view = serde_json::to_value(ListingDocument::empty(&id).view()).expect("JSON");
        let fields = view.as_object().expect("an object").iter();
        let nested = fields.flat_map(|(field, value)| {
            let inner = value.as_object().into_iter().flat_map(|inner| inner.keys());
            let inner = inner.map(move |key| format!("/{field}/{key}"));
            std::iter::once(format!("/{field}")).chain(inner)
        });
        let counters = COUNTERS.map(|name| format!("/counters/{name}"));
        // Parts of what is one value.
        let parts = ["/location/lat", "/location/lon"];
        for field in nested.filter(|field| !counters.contains(field)) {
            let ruled = MERGE_RULES.iter().any(|(known, _)| *known == field);
            assert!(ruled != parts.contains(&field.as_str()), "{field}");
        }
        assert_eq!(view["counters"]["saves"], Value::from(0));
    }

    #[test]
    fn rules_have_different_names() {
        let mut names: Vec<&str> = MERGE_RULES.iter().map(|(_, rule)| rule.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8);
        assert_eq!(MergeRule::LastWriter.name(), "last-writer");
    }
}
