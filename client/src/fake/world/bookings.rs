//! Holds and bookings, which are the same in every region.

use serde_json::{Value, json};

use super::World;
use crate::fake::asked::Asked;
use crate::fake::ledger::{State, Stay};
use crate::fake::nights::Day;
use crate::fake::refusal::{Fine, Refusal, Told};
use crate::fake::whole;

/// Bookings on a page if nothing is said, and nights of one question.
const PAGE_DEFAULT: usize = 20;
const NIGHTS_MAX: usize = 400;

impl World {
    pub(super) fn hold(&mut self, id: &str, asked: &Asked) -> Told {
        let stay = stay(&asked.body)?;
        whole::field(&asked.body, "/ttl_seconds")?;
        self.take(id, stay, State::Held)
    }

    pub(super) fn book(&mut self, asked: &Asked) -> Told {
        let body = &asked.body;
        let Some(method) = body["payment_method"].as_str() else {
            return Err(Refusal::field(
                "/payment_method",
                "how to pay, as in card_ok",
            ));
        };
        let declined = method.starts_with("card_declined");
        if let Some(hold) = body["hold_id"].as_str() {
            return self.confirm(hold, declined);
        }
        let id = body["listing_id"].as_str().unwrap_or_default();
        let stay = stay(body)?;
        if declined {
            self.take(id, stay, State::Cancelled)?;
            return Err(declined_payment());
        }
        self.take(id, stay, State::Confirmed)
    }

    fn take(&mut self, id: &str, stay: Stay, state: State) -> Told {
        let (tail, listing) = self.listing(id)?;
        let document = &listing.shown(u64::MAX)?.1;
        let units = document["units"].as_u64().unwrap_or(1);
        if document["capacity"]
            .as_u64()
            .is_some_and(|capacity| stay.guests > capacity)
        {
            return Err(Refusal::field(
                "/guests",
                "more than the listing has room for",
            ));
        }
        let number = listing.ledger.take(stay, units, state)?;
        let shown = listing.ledger.show(&tail, number);
        Ok(Fine::new(201, shown.unwrap_or_default()))
    }

    fn confirm(&mut self, hold: &str, declined: bool) -> Told {
        let (tail, number) = parts(hold, "hld_")?;
        let (_, listing) = self.listing(&format!("lst_{tail}"))?;
        let state = listing.ledger.state(number).ok_or_else(no_such)?;
        match *state {
            State::Held if declined => {
                *state = State::Cancelled;
                return Err(declined_payment());
            }
            State::Held | State::Confirmed => *state = State::Confirmed,
            State::Cancelled | State::Expired => {
                let detail = "it has lapsed or was given up: make a new hold";
                return Err(Refusal::new(410, "hold-expired", detail));
            }
        }
        let shown = listing.ledger.show(tail, number);
        Ok(Fine::new(201, shown.unwrap_or_default()))
    }

    pub(super) fn release(&mut self, hold: &str) -> Told {
        let (tail, number) = parts(hold, "hld_")?;
        let (_, listing) = self.listing(&format!("lst_{tail}"))?;
        let state = listing.ledger.state(number).ok_or_else(no_such)?;
        if *state == State::Held {
            *state = State::Cancelled;
        }
        Ok(Fine::new(204, Value::Null))
    }

    pub(super) fn cancel(&mut self, booking: &str) -> Told {
        let (tail, number) = parts(booking, "bkg_")?;
        let (_, listing) = self.listing(&format!("lst_{tail}"))?;
        *listing.ledger.state(number).ok_or_else(no_such)? = State::Cancelled;
        self.booking(booking)
    }

    pub(super) fn booking(&mut self, booking: &str) -> Told {
        let (tail, number) = parts(booking, "bkg_")?;
        let (_, listing) = self.listing(&format!("lst_{tail}"))?;
        let shown = listing.ledger.show(tail, number).ok_or_else(no_such)?;
        Ok(Fine::new(200, shown))
    }

    pub(super) fn bookings_of(&mut self, id: &str, asked: &Asked) -> Told {
        let limit = match asked.parameter("limit") {
            None => PAGE_DEFAULT,
            Some(limit) => match limit.parse() {
                Ok(limit @ 1..=100) => limit,
                _ => return Err(Refusal::field("/limit", "1 to 100")),
            },
        };
        let after = match asked.parameter("cursor") {
            None => 0,
            Some(cursor) => parts(&cursor, "bkg_")?.1,
        };
        let (tail, listing) = self.listing(id)?;
        let shown = |number| listing.ledger.show(&tail, number);
        let mut numbers = listing.ledger.numbers().filter(|number| *number > after);
        let data: Vec<Value> = numbers.by_ref().take(limit).filter_map(shown).collect();
        let more = numbers.next().and(data.last());
        let next = more.map(|last| last["booking_id"].clone());
        Ok(Fine::new(200, json!({"data": data, "next_cursor": next})))
    }

    pub(super) fn availability(&mut self, id: &str, asked: &Asked) -> Told {
        let day = |name: &str, pointer| {
            let day = asked.parameter(name).and_then(|day| Day::parse(&day));
            day.ok_or_else(|| Refusal::field(pointer, "a date, as in 2030-06-01"))
        };
        let (from, to) = (day("from", "/from")?, day("to", "/to")?);
        let nights: Vec<Day> = from.until(to).take(NIGHTS_MAX + 1).collect();
        if nights.is_empty() || nights.len() > NIGHTS_MAX {
            let detail = format!("from 1 to {NIGHTS_MAX} nights after `from`");
            return Err(Refusal::field("/to", detail));
        }
        let (_, listing) = self.listing(id)?;
        let units = listing.shown(u64::MAX)?.1["units"].as_u64().unwrap_or(1);
        let ledger = &listing.ledger;
        let shown =
            |night: &Day| json!({"date": night.to_string(), "free": ledger.free(*night, units)});
        let nights: Vec<Value> = nights.iter().map(shown).collect();
        Ok(Fine::new(200, json!({"listing_id": id, "nights": nights})))
    }
}

fn stay(body: &Value) -> Result<Stay, Refusal> {
    let day = |name: &str, pointer| {
        let day = body[name].as_str().and_then(Day::parse);
        day.ok_or_else(|| Refusal::field(pointer, "a date, as in 2030-06-01"))
    };
    let check_in = day("check_in", "/check_in")?;
    let check_out = day("check_out", "/check_out")?;
    if check_in >= check_out {
        return Err(Refusal::field("/check_out", "a day after check_in"));
    }
    let guests = body["guests"].as_u64().filter(|guests| *guests > 0);
    let guests = guests.ok_or_else(|| Refusal::field("/guests", "1 or more"))?;
    Ok(Stay {
        check_in,
        check_out,
        guests,
    })
}

/// Listing and number of a hold or booking.
fn parts<'a>(id: &'a str, prefix: &str) -> Result<(&'a str, usize), Refusal> {
    let parts = id
        .strip_prefix(prefix)
        .and_then(|rest| rest.rsplit_once('_'));
    let parts = parts.and_then(|(tail, number)| Some((tail, number.parse().ok()?)));
    parts.ok_or_else(no_such)
}

fn no_such() -> Refusal {
    Refusal::not_found("this listing has no such reservation")
}

fn declined_payment() -> Refusal {
    Refusal::new(
        402,
        "payment-declined",
        "declined: the nights are free again",
    )
}
