//! What nodes tell each other of the map, and what they keep of it, fed with what none would.

use std::collections::BTreeSet;

use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads, text};
use meridian_regions::{
    FormatLevel, Genesis, ListingId, NodeId, Survival, Topology, control_voters,
};
use prost::Message;

use super::file::{Charted, Stage};
use super::wire::{Answer, Asked, Nothing, Question, Sheet, Told};

const MAP: &str = "cluster = \"shop\"\nepoch = 3\n[[regions]]\nid = \"a\"\nlatitude = 0.0\nlongitude = 0.0\n[[nodes]]\nid = 1\nregion = \"a\"\nzone = \"a-a\"\npeer = \"h:1\"\napi = \"http://h:2\"\nadmin = \"http://h:3\"\n";
/// A map of TOML becomes a tree of values.
const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

fn charted(map: Topology) -> Charted {
    Charted {
        genesis: Genesis {
            listing: ListingId::of_control("a".parse().expect("a region")),
            survival: Survival::Region,
            voters: control_voters(&map, &BTreeSet::new()),
            map_epoch: 3,
            created_by: NodeId::new(1).expect("not zero"),
        },
        stage: Stage::Founded,
        map,
    }
}

/// The same map before and after a level of formats was turned on.
fn both() -> [Charted; 2] {
    let map = Topology::from_toml(MAP).expect("good");
    let raised = map.raised(FormatLevel::REHEARSED).expect("later");
    [charted(map), charted(raised)]
}

#[test]
fn questions_and_answers() {
    let sheets = both().map(|charted| Sheet::from(&charted));
    let [early, raised] = sheets;
    let questions = [Question::Founding(early.clone()), Question::LaterThan(7)];
    let questions = questions.map(|question| Asked {
        question: Some(question),
    });
    let decode = |input: &[u8]| Asked::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz(
        "map-question",
        &questions.map(|one| one.encode_to_vec()),
        target,
    );
    let answers = [
        Answer::Agreed(Nothing {}),
        Answer::Refused("why not".to_owned()),
        Answer::Map(early),
        Answer::NoLater(Nothing {}),
        Answer::Map(raised),
    ];
    let answers = answers.map(|answer| Told {
        answer: Some(answer),
    });
    fuzz_within(
        FILE,
        "map-answer",
        &answers.map(|one| one.encode_to_vec()),
        |input| {
            if let Ok(Told {
                answer: Some(Answer::Map(sheet)),
            }) = Told::decode(input)
            {
                // Read or refused.
                let _ = sheet.read(Stage::Founded);
            }
            reads(|bytes: &[u8]| Told::decode(bytes), Message::encode_to_vec)(input)
        },
    );
}

#[test]
fn file() {
    let examples = both().map(|charted| charted.to_text().into_bytes());
    let target = text(|input| match Charted::from_text(input) {
        Err(cause) => cause.to_string().chars().take(40).collect(),
        Ok(charted) => {
            let again = Charted::from_text(&charted.to_text()).expect("its own file");
            assert_eq!(again, charted);
            format!("level {}", charted.map.format_level())
        }
    });
    fuzz_within(FILE, "map-file", &examples, target);
}
