//! What other nodes tell of their parts is read or refused.

use meridian_fuzz::fuzz;
use meridian_regions::Shards;
use meridian_replication_core::SessionToken;
use prost::Message;

use super::asked::{Asked, Search};
use super::part::{Part, Sums, Told};

#[test]
fn searched_part() {
    let search = Search::parse(Asked::default()).expect("everything");
    let asked = Shards::from_bits(0b111);
    let part = Part {
        found: meridian_search::Part {
            hits: Vec::new(),
            through: None,
        },
        sums: Sums {
            searched: Shards::from_bits(0b101),
            total: 3,
            missing: 1,
            ..Sums::default()
        },
        kept: true,
    };
    let example = Told::of(part, &SessionToken::new()).encode_to_vec();
    fuzz("searched-part", &[example], |input| {
        let told = match Told::decode(input) {
            Ok(told) => told,
            Err(cause) => return cause.to_string(),
        };
        match told.into_part(&search, asked) {
            Some(part) => {
                assert!((part.sums.searched - asked).is_empty());
                assert!(part.found.hits.len() <= search.limit);
                "a part".to_owned()
            }
            None => "no part of this search".to_owned(),
        }
    });
}
