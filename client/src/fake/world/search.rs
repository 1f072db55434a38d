//! Searches of a fake cluster: by the filters that need no index, newest first.

use serde_json::{Value, json};

use super::World;
use crate::fake::asked::Asked;
use crate::fake::refusal::{Fine, Refusal, Told};

/// Parameters that the fake understands. The others are refused: a test that passes because
/// they were passed over shows nothing.
const KNOWN: [&str; 10] = [
    "q",
    "guests",
    "amenities",
    "price_min",
    "price_max",
    "currency",
    "room_type",
    "sort",
    "limit",
    "cursor",
];
const LIMIT: usize = 20;

impl World {
    pub(super) fn find(&self, place: usize, asked: &Asked) -> Told {
        for (name, _) in asked.url.query_pairs() {
            if !KNOWN.contains(&name.as_ref()) {
                let detail = format!("the fake cluster does not search by `{name}`");
                return Err(Refusal::field("", detail));
            }
        }
        let number = |pointer: &'static str, default: usize| {
            let text = asked.parameter(pointer.trim_start_matches('/'));
            let number = text.map_or(Ok(default), |text| text.parse());
            number.map_err(|_| Refusal::field(pointer, "a number"))
        };
        // Prices and guests are judged with each listing, and are numbers first.
        for pointer in ["/guests", "/price_min", "/price_max"] {
            number(pointer, 0)?;
        }
        let (limit, from) = (number("/limit", LIMIT)?, number("/cursor", 0)?);
        let seen = self.seen_at(place);
        let shown = self.listings.values().rev();
        let shown = shown.filter_map(|listing| listing.shown(seen).ok());
        let mut found: Vec<&Value> = shown.map(|(_, document)| document).collect();
        found.retain(|document| fits(document, asked));
        match asked.parameter("sort").as_deref() {
            None | Some("relevance") => {}
            Some("price") => found.sort_by_key(|document| amount(document)),
            Some(_) => {
                return Err(Refusal::field(
                    "/sort",
                    "`relevance` or `price` in the fake",
                ));
            }
        }
        let total = found.len();
        let data: Vec<&Value> = found.into_iter().skip(from).take(limit).collect();
        let next = from + data.len();
        let next = (next < total && !data.is_empty()).then(|| next.to_string());
        let body = json!({"data": data, "total": total, "next_cursor": next, "facets": {}});
        Ok(Fine::new(200, body))
    }
}

fn fits(document: &Value, asked: &Asked) -> bool {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_lowercase();
    let amenities = document["amenities"].as_array();
    let has = |wanted: &str| amenities.is_some_and(|all| all.iter().any(|one| one == wanted));
    let all_words = asked.parameter("q").is_none_or(|words| {
        let all = format!("{} {}", text("title"), text("description"));
        let words = words.to_lowercase();
        words.split_whitespace().all(|word| all.contains(word))
    });
    let least = |name: &str, value: u64| match asked.parameter(name) {
        None => true,
        Some(wanted) => wanted.parse().is_ok_and(|wanted: u64| value >= wanted),
    };
    let most = asked.parameter("price_max");
    let wanted = asked.parameter("amenities").unwrap_or_default();
    let same = |name: &str, value: &Value| asked.parameter(name).is_none_or(|one| *value == one);
    all_words
        && least("guests", document["capacity"].as_u64().unwrap_or_default())
        && least("price_min", amount(document))
        && most.is_none_or(|most| most.parse().is_ok_and(|most: u64| amount(document) <= most))
        && wanted.split(',').filter(|one| !one.is_empty()).all(has)
        && same("currency", &document["nightly_price"]["currency"])
        && same("room_type", &document["room_type"])
}

fn amount(document: &Value) -> u64 {
    document["nightly_price"]["amount"]
        .as_u64()
        .unwrap_or_default()
}
