//! What nodes tell each other of the map, and what they keep of it, fed with what none would.

use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads, text};
use meridian_regions::{FormatLevel, Topology};
use prost::Message;

use super::file::tests::{MAP, sample};
use super::file::{Charted, Stage};
use super::wire::{Answer, Asked, ConditionRecord, Nothing, Question, Sheet, Told};

/// A map of TOML becomes a tree of values.
const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

/// The same map before and after a level of formats was turned on.
fn both() -> [Charted; 2] {
    let map = Topology::from_toml(MAP).expect("good");
    let second = FormatLevel::new(2).expect("not zero");
    let raised = map.raised(second).expect("later");
    [map, raised].map(|map| sample(Stage::Founded, map))
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
        condition: None,
    });
    let with_condition = Told {
        condition: Some(ConditionRecord {
            is_without_voice: true,
            serves: 7,
            groups_ill: 3,
        }),
        ..answers[3].clone()
    };
    let answers: Vec<Told> = answers.into_iter().chain([with_condition]).collect();
    fuzz_within(
        FILE,
        "map-answer",
        &answers.iter().map(Told::encode_to_vec).collect::<Vec<_>>(),
        |input| {
            if let Ok(Told {
                answer: Some(Answer::Map(sheet)),
                ..
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
