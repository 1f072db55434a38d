//! Listings, as the regions of a fake cluster see them.

use serde_json::{Value, json};

use super::{Listing, World};
use crate::fake::asked::Asked;
use crate::fake::refusal::{Fine, Refusal, Told};
use crate::fake::whole;

impl World {
    pub(super) fn create(&mut self, place: usize, asked: &Asked) -> Told {
        let title = asked.body["title"].as_str().unwrap_or_default();
        if title.is_empty() {
            return Err(Refusal::field("/title", "1 to 120 characters"));
        }
        whole::of_listing(&asked.body)?;
        let tail = format!("fake{:05}", self.listings.len() + 1);
        let mut document = asked.body.clone();
        document["id"] = json!(format!("lst_{tail}"));
        self.listings.insert(tail.clone(), Listing::default());
        self.write(place, &tail, document, 201)
    }

    pub(super) fn read(&mut self, place: usize, id: &str) -> Told {
        let seen = self.seen_at(place);
        let (_, listing) = self.listing(id)?;
        let (number, document) = listing.shown(seen)?;
        Ok(tagged(200, *number, document.clone()))
    }

    pub(super) fn patch(&mut self, place: usize, id: &str, asked: &Asked) -> Told {
        let seen = self.seen_at(place);
        let (tail, listing) = self.listing(id)?;
        listing.shown(seen)?;
        let (number, latest) = listing.shown(u64::MAX)?;
        if let Some(tag) = &asked.if_match
            && *tag != etag(*number)
        {
            return Err(Refusal::new(
                412,
                "precondition-failed",
                "the document has changed",
            ));
        }
        let Value::Object(patch) = &asked.body else {
            return Err(Refusal::field("", "an object with the fields to change"));
        };
        if patch.contains_key("id") {
            return Err(Refusal::field("/id", "an id never changes"));
        }
        whole::of_listing(&asked.body)?;
        let mut document = latest.clone();
        if let Value::Object(fields) = &mut document {
            fields.extend(patch.clone());
            // As RFC 7396 has it.
            fields.retain(|_, value| !value.is_null());
        }
        self.write(place, &tail, document, 200)
    }

    pub(super) fn remove(&mut self, place: usize, id: &str) -> Told {
        let seen = self.seen_at(place);
        let (tail, listing) = self.listing(id)?;
        listing.shown(seen)?;
        if listing.ledger.is_wanted() {
            let detail = "cancel the bookings that stand";
            return Err(Refusal::new(409, "has-bookings", detail));
        }
        self.write(place, &tail, Value::Null, 204)
    }

    /// Keeps a document; a region that was held back sees all from then on.
    fn write(&mut self, place: usize, tail: &str, document: Value, status: u16) -> Told {
        self.written += 1;
        let number = self.written;
        if self.regions[place].seen.is_some() {
            self.regions[place].seen = Some(number);
        }
        let listing = self.listings.entry(tail.to_owned()).or_default();
        listing.versions.push((number, document.clone()));
        Ok(tagged(status, number, document))
    }
}

impl Listing {
    /// The document after the last write that was seen.
    pub(super) fn shown(&self, seen: u64) -> Result<&(u64, Value), Refusal> {
        let mut seen = self
            .versions
            .iter()
            .rev()
            .filter(|(number, _)| *number <= seen);
        let latest = seen.next().filter(|(_, document)| !document.is_null());
        latest.ok_or_else(|| Refusal::not_found("no such listing in this region"))
    }
}

fn tagged(status: u16, number: u64, document: Value) -> Fine {
    Fine {
        etag: Some(etag(number)),
        ..Fine::new(status, document)
    }
}

fn etag(number: u64) -> String {
    format!("\"{number}\"")
}
