//! A pump that has forgotten what it told, or a feed that has lost what it had, leaves nothing
//! out that another feed has.

use super::{POLICY, all, feed_of, fresh, line, next, node, page, position, record, start, told};
use crate::events::Told;
use crate::outbound::pump::Pump;

/// A voter dies with events in its feed that nobody has read, and that another has missed.
#[test]
fn what_a_dead_node_alone_knows_comes_when_it_is_back_though_the_pump_began_anew() {
    let (behind, dead) = (node(), feed_of(2));
    let mut pump = fresh(POLICY);
    let missed = Told::Missed { first: 1, last: 3 };
    pump.accept(behind, page(vec![told(10, 1, missed)]), 0, all);
    assert!(pump.due(0).is_some());
    pump.delivered(&line(1), 0);
    let mut pump = Pump::resume(POLICY, pump.progress(start()));
    let mut heard = Vec::new();
    for (feed, records) in [
        (behind, vec![record(20, 1, 4), record(30, 1, 5)]),
        (
            dead,
            (1..=5).map(|number| record(number, 1, number)).collect(),
        ),
        (behind, vec![record(40, 1, 6)]),
    ] {
        pump.accept(feed, page(records), 0, all);
        while let Some((_, number, _)) = next(&mut pump, 0) {
            heard.push(number);
            pump.delivered(&line(1), 0);
        }
    }
    assert_eq!(heard, [4, 5, 1, 2, 3, 6]);
    let places = pump.progress(start()).cursor.places;
    assert_eq!(places, [(behind, position(40)), (dead, position(5))].into());
}

#[test]
fn what_one_feed_has_lost_is_told_from_another_that_has_it() {
    let mut pump = fresh(POLICY);
    pump.accept(node(), page(vec![record(10, 1, 1)]), 0, all);
    pump.skip_to(node(), position(60));
    pump.accept(node(), page(vec![record(60, 1, 6)]), 0, all);
    let whole = (1..=6).map(|number| record(number, 1, number));
    pump.accept(feed_of(2), page(whole.collect()), 0, all);
    let mut heard = Vec::new();
    while let Some((_, number, _)) = next(&mut pump, 0) {
        heard.push(number);
        pump.delivered(&line(1), 0);
    }
    assert_eq!(heard, [1, 6, 2, 3, 4, 5]);
}

/// A voter dies with an event in its feed that was not delivered, and so does who delivers. What
/// the voter in its place catches up with is the only place where that event is told any more:
/// nothing of it may be passed over for being from before.
#[test]
fn what_a_voter_has_died_with_comes_with_the_history_that_the_next_one_catches_up_with() {
    let (dead, next_voter) = (feed_of(2), feed_of(3));
    let history = || (1..=3).map(|number| record(number, 1, number)).collect();
    let mut pump = fresh(POLICY);
    pump.accept(dead, page(history()), 0, all);
    for _ in 1..=2 {
        assert!(next(&mut pump, 0).is_some());
        pump.delivered(&line(1), 0);
    }
    let mut pump = Pump::resume(POLICY, pump.progress(start()));
    pump.keep_lanes(&[node().node, next_voter.node]);
    pump.accept(next_voter, page(history()), 0, all);
    let mut heard = Vec::new();
    while let Some((_, number, _)) = next(&mut pump, 0) {
        heard.push(number);
        pump.delivered(&line(1), 0);
    }
    assert_eq!(heard, [1, 2, 3], "twice rather than never");
}
