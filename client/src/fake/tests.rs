//! The fake keeps what the contract promises, seen through the real client.

use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use serde_json::{Value, json};

use super::FakeCluster;
use crate::wire::scripted::until;
use crate::{CallError, Client, Find, IdempotencyKey, NewStay, Session};

fn cluster() -> FakeCluster {
    FakeCluster::new(["here", "there"])
}

fn stay(check_in: &str, check_out: &str) -> NewStay {
    NewStay {
        check_in: check_in.to_owned(),
        check_out: check_out.to_owned(),
        guests: 2,
    }
}

fn june() -> NewStay {
    stay("2030-06-01", "2030-06-03")
}

async fn listing(client: &Client) -> String {
    let made = client.create_listing(json!({"title": "Loft", "capacity": 4}));
    let made = made.await.expect("made");
    made.body["id"].as_str().expect("an id").to_owned()
}

async fn book(client: &Client, id: &str, stay: &NewStay) -> Result<Value, CallError> {
    let key = IdempotencyKey::fresh();
    let booked = client.book(id, stay, "card_ok", &key).await?;
    Ok(booked.body)
}

#[tokio::test(start_paused = true)]
async fn night_is_sold_once_whoever_asks_and_wherever() {
    let cluster = cluster();
    let client = cluster.client();
    let id = listing(&client).await;
    let wants: Vec<Client> = (0..10).map(|_| cluster.client()).collect();
    let june = june();
    let told = join_all(wants.iter().map(|client| book(client, &id, &june))).await;
    assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1);
    for error in told.into_iter().filter_map(Result::err) {
        assert_eq!(error.code(), Some("slot-taken"));
    }
    // Whoever leaves that day makes room for whoever comes.
    book(&client, &id, &stay("2030-06-03", "2030-06-04"))
        .await
        .expect("sold");
    let shown = client.fresh_availability(&id, "2030-05-31", "2030-06-05");
    let free: Vec<Value> = shown.await.expect("shown").body["nights"]
        .as_array()
        .expect("nights")
        .iter()
        .map(|night| night["free"].clone())
        .collect();
    assert_eq!(free, [1, 0, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn booking_whose_answer_was_lost_is_made_once_and_answered_with_the_same_key() {
    let cluster = cluster();
    let client = cluster.client();
    let id = listing(&client).await;
    cluster.lose_answers("here", 1);
    let key = IdempotencyKey::fresh();
    let booked = client
        .book(&id, &june(), "card_ok", &key)
        .await
        .expect("sold");
    assert!(booked.replayed);
    let bookings: Vec<Value> = client
        .every_booking_of(&id)
        .try_collect()
        .await
        .expect("read");
    assert_eq!(bookings.len(), 1);
    let outcome = client.outcome(&key, Some(&id)).await.expect("known");
    assert_eq!(outcome.body["outcome"], "committed");
    let july = stay("2030-07-01", "2030-07-02");
    let other = client.book(&id, &july, "card_ok", &key);
    let refused = other.await.expect_err("another request");
    assert_eq!(refused.code(), Some("idempotency-mismatch"));
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_whose_answer_was_lost_is_done_once_and_unknown() {
    let cluster = cluster();
    let client = cluster.client();
    cluster.lose_answers("here", 1);
    let made = client.create_listing(json!({"title": "Loft"})).await;
    assert!(made.expect_err("nobody knows").outcome_unknown());
    assert_eq!(cluster.requests("here") + cluster.requests("there"), 1);
}

#[tokio::test(start_paused = true)]
async fn change_whose_answer_was_lost_does_not_undo_what_somebody_has_written_since() {
    let cluster = cluster();
    let (one, other) = (cluster.client(), cluster.client());
    let id = listing(&one).await;
    cluster.lose_answers("here", 1);
    let before = cluster.requests("here");
    let first = one.patch_listing(&id, json!({"capacity": 5}), None);
    let since = async {
        // Before anybody could send the first one again.
        until(|| cluster.requests("here") > before).await;
        let written = other.patch_listing(&id, json!({"capacity": 6}), None);
        written.await.expect("acknowledged");
    };
    let (first, ()) = tokio::join!(first, since);
    assert!(first.expect_err("nobody knows").outcome_unknown());
    let read = other.listing(&id).await.expect("read");
    assert_eq!(read.body["capacity"], 6);
}

#[tokio::test(start_paused = true)]
async fn session_goes_on_in_another_region_and_never_back_in_time() {
    let cluster = cluster();
    let client = cluster.client();
    let id = listing(&client).await;
    cluster.hold_back("there");
    let renamed = json!({"title": "Attic"});
    client
        .patch_listing(&id, renamed, None)
        .await
        .expect("renamed");
    cluster.cut("here");
    let behind = client.listing(&id).await.expect_err("it has not seen that");
    assert_eq!(behind.code(), Some("session-behind"));
    let stranger = cluster
        .builder()
        .session(Session::new())
        .build()
        .expect("a client");
    let read = stranger.listing(&id).await.expect("as it was");
    assert_eq!(read.body["title"], "Loft");

    cluster.catch_up("there");
    let read = client.listing(&id).await.expect("seen");
    assert_eq!(read.body["title"], "Attic");
    assert_eq!(read.served_by.as_deref(), Some("there/1"));
}

#[tokio::test(start_paused = true)]
async fn nearest_region_is_used() {
    let cluster = cluster();
    cluster.set_round_trip("here", Duration::from_millis(90));
    cluster.set_round_trip("there", Duration::from_millis(10));
    let client = cluster.client();
    client.discover().await.expect("they answer");
    assert_eq!(client.region().as_deref(), Some("there"));
}

#[tokio::test(start_paused = true)]
async fn hold_is_confirmed_released_or_lapses() {
    let cluster = cluster();
    let client = cluster.client();
    let id = listing(&client).await;
    let hold = async || {
        let held = client.hold(&id, &june(), &IdempotencyKey::fresh()).await;
        let held = held.expect("held").body["hold_id"].clone();
        held.as_str().expect("an id").to_owned()
    };
    let confirm =
        async |hold: &str, card: &str| client.confirm(hold, card, &IdempotencyKey::fresh()).await;
    let released = hold().await;
    client.release(&released).await.expect("given up");
    client.release(&released).await.expect("the same again");
    let lapsed = hold().await;
    cluster.expire_holds();
    let error = confirm(&lapsed, "card_ok").await.expect_err("too late");
    assert_eq!(error.code(), Some("hold-expired"));
    let error = confirm(&hold().await, "card_declined")
        .await
        .expect_err("no money");
    assert_eq!(error.code(), Some("payment-declined"));
    let sold = confirm(&hold().await, "card_ok").await.expect("sold");
    let booking = sold.body["booking_id"].as_str().expect("an id");
    let refused = client
        .delete_listing(&id)
        .await
        .expect_err("somebody comes");
    assert_eq!(refused.code(), Some("has-bookings"));
    let cancelled = client.cancel(booking, &IdempotencyKey::fresh()).await;
    assert_eq!(cancelled.expect("cancelled").body["state"], "cancelled");
    client.delete_listing(&id).await.expect("deleted");
    let gone = client.listing(&id).await.expect_err("deleted");
    assert_eq!(gone.code(), Some("not-found"));
}

#[tokio::test(start_paused = true)]
async fn bookings_come_page_after_page() {
    let client = cluster().client();
    let id = listing(&client).await;
    for month in 1..=12 {
        for day in 1..=10 {
            let (check_in, check_out) = (2 * day, 2 * day + 1);
            let stay = stay(
                &format!("2031-{month:02}-{check_in:02}"),
                &format!("2031-{month:02}-{check_out:02}"),
            );
            book(&client, &id, &stay).await.expect("sold");
        }
    }
    let bookings: Vec<Value> = client
        .every_booking_of(&id)
        .try_collect()
        .await
        .expect("read");
    assert_eq!(bookings.len(), 120);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_and_what_is_missing_too() {
    let client = cluster().client();
    let id = listing(&client).await;
    let backwards = book(&client, &id, &stay("2030-06-03", "2030-06-01")).await;
    let CallError::Problem(problem) = backwards.expect_err("no stay") else {
        panic!("a problem");
    };
    assert_eq!(problem.errors[0].pointer, "/check_out");
    let many = NewStay {
        guests: 5,
        ..june()
    };
    let crowd = book(&client, &id, &many).await.expect_err("too many");
    assert_eq!(crowd.code(), Some("validation"));
    let nowhere = client.listing("lst_nowhere").await.expect_err("no such");
    assert_eq!(nowhere.code(), Some("not-found"));
    let watch = client.watch(&id).await.expect_err("it has no watches");
    assert_eq!(watch.code(), Some("not-found"));
}

#[tokio::test(start_paused = true)]
async fn whole_numbers_are_integers_however_they_are_written_and_parts_of_them_are_refused() {
    let client = cluster().client();
    let price = |amount: f64| json!({"amount": amount, "currency": "EUR"});
    let draft = |units: f64, amount: f64| json!({"title": "Loft", "units": units, "nightly_price": price(amount)});
    let made = client
        .create_listing(draft(2.0, 460.0))
        .await
        .expect("made");
    assert_eq!(made.body["nightly_price"]["amount"], json!(460));
    let id = made.body["id"].as_str().expect("an id");
    // Two units, not one: both are sold.
    for _ in 0..2 {
        book(&client, id, &june()).await.expect("sold");
    }
    for (refused, pointer) in [
        (draft(1.5, 460.0), "/units"),
        (draft(1.0, 460.5), "/nightly_price/amount"),
    ] {
        let refused = client.create_listing(refused).await;
        let CallError::Problem(problem) = refused.expect_err("no integer") else {
            panic!("a problem");
        };
        assert_eq!(problem.errors[0].pointer, pointer);
    }
    let cheap = Find {
        price_max: Some(460),
        ..Find::default()
    };
    let found = client.find(&cheap, None).await.expect("found");
    assert_eq!(found.body["total"], json!(1));
}

#[tokio::test(start_paused = true)]
async fn search_finds_what_its_session_has_written_page_by_page() {
    let cluster = cluster();
    let client = cluster.client();
    for amount in [30, 10, 20] {
        let price = json!({"amount": amount, "currency": "EUR"});
        let draft = json!({"title": format!("Loft {amount}"), "nightly_price": price});
        client.create_listing(draft).await.expect("made");
    }
    let find = Find {
        q: Some("loft".to_owned()),
        price_max: Some(20),
        sort: Some("price".to_owned()),
        limit: Some(1),
        ..Find::default()
    };
    let found: Vec<Value> = client.find_all(&find).try_collect().await.expect("found");
    let titles: Vec<&str> = found
        .iter()
        .filter_map(|one| one["title"].as_str())
        .collect();
    assert_eq!(titles, ["Loft 10", "Loft 20"]);
    let by_place = Find {
        near: Some("1,1".to_owned()),
        ..Find::default()
    };
    let refused = client.find(&by_place, None).await.expect_err("no index");
    assert_eq!(refused.code(), Some("validation"));
}
