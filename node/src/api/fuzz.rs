//! What clients say in headers is read or refused.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use meridian_fuzz::{fuzz, text};
use meridian_replication::Precondition;

use super::consistency::Consistency;
use super::entity_tags::{has_seen, precondition};

const KNOWN: &str = "\"a\"";

fn header(name: HeaderName, value: &str) -> Option<HeaderMap> {
    let value = HeaderValue::from_str(value).ok()?;
    Some([(name, value)].into_iter().collect())
}

#[test]
fn entity_tags() {
    let examples = [r#""a""#, r#"W/"a" , "b""#, "*", r#""a,b", W/"""#];
    let examples = examples.map(|said| said.as_bytes().to_vec());
    let target = text(|said| {
        let headers = header(IF_MATCH, said).zip(header(IF_NONE_MATCH, said));
        let Some((writes, reads)) = headers else {
            return "no header".to_owned();
        };
        match precondition(&writes) {
            Ok(Precondition::None) => "whatever there is".to_owned(),
            Ok(Precondition::IfMatch(tags)) => {
                for tag in &tags {
                    assert!(tag.len() > 1 && tag.starts_with('"') && tag.ends_with('"'));
                    assert!(said.contains(tag.as_str()));
                }
                let holds = tags.iter().any(|tag| tag == KNOWN);
                assert!(!holds || has_seen(&reads, KNOWN), "weaker than weak");
                format!("{} of them", tags.len().min(3))
            }
            Err(problem) => problem.detail().to_owned(),
        }
    });
    fuzz("entity-tags", &examples, target);
}

#[test]
fn consistency_level() {
    let examples = ["eventual", " session ", "bounded; max-staleness-ms=250"];
    let examples = examples.map(|said| said.as_bytes().to_vec());
    let target = text(|said| {
        let Some(level) = Consistency::parse(said) else {
            return "none".to_owned();
        };
        let written = match level {
            Consistency::Bounded { staleness_ms_max } => {
                format!("{}; max-staleness-ms={staleness_ms_max}", level.as_str())
            }
            _ => level.as_str().to_owned(),
        };
        assert_eq!(Consistency::parse(&written), Some(level));
        level.as_str().to_owned()
    });
    fuzz("consistency-level", &examples, target);
}
