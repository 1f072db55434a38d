//! Reasons that come, take turns and go.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Away, Heard, NUMBERS_STAND, REASON_STANDS, REASONS_MAX, REASONS_OF_ONE_MAX, Unreached,
};

/// An address of the peer.
fn at(port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn refused(words: &str) -> Unreached {
    Unreached::Refused(words.to_owned())
}

#[test]
fn reasons_that_take_turns_are_news_once() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let turns = [
        (at(1), Unreached::Unanswered),
        (at(2), refused("not you")),
        (at(3), refused("not here")),
    ];
    for turn in turns.clone() {
        assert_eq!(away.note(turn, began, 0.0), Heard::News);
    }
    let told = away.told();
    assert_eq!(
        told,
        "no answer in time; by turns: not you; by turns: not here"
    );
    for _ in 0..10 {
        for turn in turns.clone() {
            assert_eq!(away.note(turn, began, 0.0), Heard::Again);
            assert_eq!(away.told(), told, "nobody is woken for it");
        }
    }
    // At another address, the same words are none; and at the same one, others are.
    assert_eq!(
        away.note((at(4), refused("not you")), began, 0.0),
        Heard::Again
    );
    assert_eq!(away.told(), told);
    assert_eq!(
        away.note((at(3), refused("not yet")), began, 0.0),
        Heard::News
    );
    assert_eq!(
        away.told(),
        "no answer in time; by turns: not you; by turns: not yet"
    );
}

#[test]
fn nodes_that_answer_by_turns_behind_one_address_are_news_once() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let turns = ["not you", "not here"].map(|words| (at(1), refused(words)));
    for turn in turns.clone() {
        let words = turn.1.to_string();
        assert_eq!(away.note(turn, began, 0.0), Heard::News);
        assert_eq!(away.told(), words, "the last one, before any has come back");
    }
    let mut told = Vec::new();
    for _ in 0..10 {
        for turn in turns.clone() {
            assert_eq!(away.note(turn, began, 0.0), Heard::Again);
            told.push(away.told());
        }
    }
    let both = "not you; by turns: not here";
    assert!(told[1..].iter().all(|told| told == both), "{told:?}");
}

#[test]
fn address_that_says_something_else_each_time_makes_little_news_and_leaves_room_for_others() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let mut news = 0;
    for letter in 'a'..='z' {
        let turn = (at(1), refused(&format!("not {letter}")));
        news += usize::from(away.note(turn, began, 0.0) == Heard::News);
    }
    assert_eq!(news, REASONS_OF_ONE_MAX);
    let other = (at(2), refused("not you"));
    assert_eq!(away.note(other, began, 0.0), Heard::News);
}

#[test]
fn reason_that_differs_in_numbers_alone_is_news_now_and_then() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let mut news = Vec::new();
    for second in 0..=NUMBERS_STAND.as_secs() {
        let why = refused(&format!("expired {second} seconds ago"));
        let now = began + Duration::from_secs(second);
        if away.note((at(1), why.clone()), now, 0.0) == Heard::News {
            news.push(second);
        }
        assert_eq!(away.told(), why.to_string(), "who asks hears the last one");
    }
    assert_eq!(news, [0, NUMBERS_STAND.as_secs()]);
    // Elsewhere, another number may be all that there is to tell.
    let other = refused("expired 1 seconds ago");
    let now = began + NUMBERS_STAND;
    assert_eq!(away.note((at(2), other), now, 0.0), Heard::News);
}

#[test]
fn reason_that_is_not_met_again_is_over() {
    let began = Instant::now();
    let mut away = Away::from(began);
    away.note((at(1), refused("not you")), began, 0.0);
    let just = began + REASON_STANDS - Duration::from_millis(1);
    away.note((at(1), Unreached::Unanswered), just, 0.0);
    assert!(away.told().contains("not you"));
    away.note((at(1), Unreached::Unanswered), began + REASON_STANDS, 0.0);
    assert_eq!(away.told(), "no answer in time");
}

#[test]
fn reasons_of_more_addresses_than_are_kept_make_no_news_in_turn() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let mut news = 0;
    for _ in 0..3 {
        for port in 1..100 {
            let turn = (at(port), refused(&format!("not {port}")));
            news += usize::from(away.note(turn, began, 0.0) == Heard::News);
        }
    }
    assert_eq!(news, REASONS_MAX);
}

#[test]
fn address_that_refuses_rests_ever_longer_and_one_that_is_silent_does_not() {
    let began = Instant::now();
    let mut away = Away::from(began);
    let rests = |away: &Away, after: Duration| away.turn(began + after).resting;
    away.note((at(1), refused("not you")), began, 1.0);
    away.note((at(2), Unreached::Unanswered), began, 1.0);
    let ms = Duration::from_millis;
    assert_eq!(rests(&away, ms(99)), at(1).into_iter().collect::<Vec<_>>());
    assert_eq!(rests(&away, ms(100)), []);
    for _ in 0..10 {
        away.note((at(1), refused("not you")), began, 1.0);
    }
    assert_eq!(rests(&away, ms(1_999)).len(), 1);
    assert_eq!(rests(&away, ms(2_000)), []);
}
