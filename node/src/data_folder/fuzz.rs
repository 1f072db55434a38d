//! What a folder says of itself, fed with what no node has written.

use meridian_fuzz::{Allowance, fuzz_within, text};
use meridian_regions::FormatLevel;

use super::{Record, Returned, Stage};

/// TOML becomes a tree of values.
const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

#[test]
fn record() {
    let first = Record {
        cluster: "shop".to_owned(),
        node: 7,
        incarnation: "00ff".to_owned(),
        expelled_by: None,
        forgotten: None,
        returned: None,
        format_level: FormatLevel::FIRST,
        written_level: None,
    };
    let returned = Record {
        returned: Some(Returned {
            moved: vec!["bookings".to_owned()],
            stage: Stage::Aside,
        }),
        ..first.clone()
    };
    let raised = Record {
        format_level: FormatLevel::new(2).expect("not zero"),
        ..returned.clone()
    };
    let ahead = Record {
        written_level: Some(FormatLevel::FIRST),
        ..raised.clone()
    };
    let expelled = Record {
        expelled_by: Some(1),
        ..returned.clone()
    };
    let records = [first, returned, raised, ahead, expelled];
    let written = |record: &Record| toml::to_string(record).expect("TOML");
    let examples = records.map(|record| written(&record).into_bytes());
    let target = text(|input| match toml::from_str::<Record>(input) {
        Err(cause) => cause.message().chars().take(40).collect(),
        Ok(record) => {
            let again: Record = toml::from_str(&written(&record)).expect("its own record");
            assert_eq!(again, record);
            format!("level {}", record.format_level)
        }
    });
    fuzz_within(FILE, "data-folder", &examples, target);
}
