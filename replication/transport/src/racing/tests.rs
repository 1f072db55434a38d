//! Races in virtual time.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Dial, Dials, GREETING_SOON, Place, Target};
use crate::away::{Away, Unreached};
use crate::pace::DIALS_MAX;
use crate::turn::Turn;

/// The other end at one address.
#[derive(Clone, Copy)]
struct End {
    round_trip: Duration,
    says: Says,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Welcome,
    /// At once.
    No,
    /// Once the dial has been answered.
    NoToTheGreeting,
    /// Its first answer comes, and no other one: of the first dial.
    FirstWordOnly,
    Nothing,
}

/// A peer whose name has these addresses.
struct Script {
    ends: Vec<End>,
    began: Instant,
    called: Notify,
    needless: CancellationToken,
    /// Which address was dialled, and when.
    dialled: Mutex<Vec<(usize, Duration)>>,
    noted: Mutex<Vec<Unreached>>,
}

impl Script {
    fn of(ends: &[(u64, Says)]) -> Self {
        let end = |(millis, says): &(u64, Says)| End {
            round_trip: Duration::from_millis(*millis),
            says: *says,
        };
        Self {
            ends: ends.iter().map(end).collect(),
            began: Instant::now(),
            called: Notify::new(),
            needless: CancellationToken::new(),
            dialled: Mutex::default(),
            noted: Mutex::default(),
        }
    }

    fn dials(&self) -> usize {
        self.dialled.lock().expect("no panic").len()
    }

    /// When an address was dialled, from a moment on.
    fn dials_of(&self, at: usize, from: Duration) -> Vec<Duration> {
        let dialled = self.dialled.lock().expect("no panic");
        let those = dialled
            .iter()
            .filter(|(to, when)| *to == at && *when >= from);
        those.map(|(_, when)| *when).collect()
    }
}

fn address(at: usize) -> SocketAddr {
    let port = u16::try_from(at + 1).expect("few");
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn no() -> Unreached {
    Unreached::Refused("not me".to_owned())
}

impl Target for Script {
    /// Which dial, and of which address.
    type Answered = (usize, usize);
    /// The address.
    type Line = usize;

    fn dial(&self, turn: Turn) -> Dial<'_, Self::Answered> {
        let addresses: Vec<_> = (0..self.ends.len()).map(address).collect();
        let (dialled, _) = turn.of(&addresses).expect("it has some");
        let at = addresses.iter().position(|address| *address == dialled);
        let (at, attempt) = (at.expect("one of them"), turn.attempt);
        let end = self.ends[at];
        let begun = (at, self.began.elapsed());
        self.dialled.lock().expect("no panic").push(begun);
        let to = Place::default();
        to.is(dialled);
        let answer = async move {
            match end.says {
                Says::Nothing => {
                    sleep(Duration::from_millis(750)).await;
                    return Err(Unreached::Unanswered);
                }
                _ => sleep(end.round_trip).await,
            }
            if end.says == Says::No {
                return Err(no());
            }
            Ok((attempt, at))
        };
        Dial {
            to,
            answer: answer.boxed(),
        }
    }

    async fn greet(&self, (attempt, at): Self::Answered) -> Result<usize, Unreached> {
        let end = self.ends[at];
        sleep(end.round_trip).await;
        match end.says {
            Says::NoToTheGreeting => Err(no()),
            Says::FirstWordOnly if attempt == 0 => {
                sleep(Duration::from_secs(5)).await;
                Err(Unreached::Unanswered)
            }
            _ => Ok(at),
        }
    }

    fn unreached(&self, away: &mut Away, at: Option<SocketAddr>, cause: Unreached) {
        away.note((at, cause.clone()), Instant::now(), 0.0);
        self.noted.lock().expect("no panic").push(cause);
    }

    fn called(&self) -> &Notify {
        &self.called
    }

    async fn needless(&self) {
        self.needless.cancelled().await;
    }
}

/// A race that begins with nothing.
async fn reach(script: &Script, away: &mut Away) -> Result<usize, Unreached> {
    super::reach(script, away, &mut Dials::default()).await
}

#[tokio::test(start_paused = true)]
async fn wrong_node_near_by_does_not_end_the_dials_of_the_right_one_far_away() {
    for wrong in [Says::No, Says::NoToTheGreeting] {
        let script = Script::of(&[(600, Says::Welcome), (1, wrong)]);
        let mut away = Away::from(Instant::now());
        assert_eq!(reach(&script, &mut away).await, Ok(0));
        let noted = script.noted.lock().expect("no panic").clone();
        assert!(noted.contains(&no()), "it is told all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_is_the_end_where_no_other_address_is_dialled() {
    // So far away that several dials are under way by then.
    let script = Script::of(&[(600, Says::No)]);
    let mut away = Away::from(Instant::now());
    assert_eq!(reach(&script, &mut away).await, Err(no()));
    assert_eq!(script.began.elapsed(), Duration::from_millis(600));
    assert!(script.dials() > 1);
}

#[tokio::test(start_paused = true)]
async fn peer_that_comes_through_while_a_greeting_hangs_is_dialled_anew() {
    let script = Script::of(&[(1, Says::FirstWordOnly)]);
    let mut away = Away::from(Instant::now());
    let healed = async {
        // Earlier, the answer may just be on its way.
        advance(GREETING_SOON / 2).await;
        script.called.notify_waiters();
        tokio::task::yield_now().await;
        assert_eq!(script.dials(), 1);
        advance(GREETING_SOON).await;
        script.called.notify_waiters();
    };
    let (reached, ()) = tokio::join!(reach(&script, &mut away), healed);
    assert_eq!(reached, Ok(0));
    assert_eq!(script.dials(), 2);
    assert!(script.began.elapsed() < GREETING_SOON * 2, "at once");
}

#[tokio::test(start_paused = true)]
async fn peer_that_says_nothing_is_dialled_by_a_bounded_number_at_once() {
    let script = Script::of(&[(0, Says::Nothing)]);
    let mut away = Away::from(Instant::now());
    let reached = timeout(Duration::from_secs(10), reach(&script, &mut away));
    assert!(reached.await.is_err(), "without an end");
    let dialled = script.dialled.lock().expect("no panic").clone();
    assert!(dialled.len() > 30, "{dialled:?}");
    for dials in dialled.windows(DIALS_MAX + 1) {
        assert!(dials[DIALS_MAX].1 - dials[0].1 >= Duration::from_millis(750));
    }
}

#[tokio::test(start_paused = true)]
async fn dials_that_are_not_needed_any_more_end_and_a_greeting_goes_on() {
    let round_trip = Duration::from_millis(200);
    let script = Script::of(&[(200, Says::Welcome)]);
    let mut away = Away::from(Instant::now());
    let heard = async {
        advance(round_trip / 2).await;
        script.needless.cancel();
    };
    let (reached, ()) = tokio::join!(reach(&script, &mut away), heard);
    assert_eq!(reached, Err(Unreached::Needless));
    assert_eq!(script.began.elapsed(), round_trip / 2);

    let script = Script::of(&[(200, Says::Welcome)]);
    let heard = async {
        sleep(round_trip * 3 / 2).await;
        script.needless.cancel();
    };
    let (reached, ()) = tokio::join!(reach(&script, &mut away), heard);
    assert_eq!(reached, Ok(0), "the peer may have heard the greeting");
}

#[tokio::test(start_paused = true)]
async fn race_goes_on_with_the_dials_of_one_that_was_given_up() {
    let script = Script::of(&[(600, Says::Welcome)]);
    let mut away = Away::from(Instant::now());
    let mut dials = Dials::default();
    let given_up = Duration::from_millis(590);
    let race = timeout(given_up, super::reach(&script, &mut away, &mut dials));
    assert!(race.await.is_err());
    let begun = script.dials();
    assert!(begun > 1 && dials.len() == begun);
    let reached = super::reach(&script, &mut away, &mut dials).await;
    assert_eq!(reached, Ok(0));
    let greeted = Duration::from_millis(600 + 600);
    assert_eq!(script.began.elapsed(), greeted, "by the first of them");
    assert!(dials.is_empty());
}

#[tokio::test(start_paused = true)]
async fn address_that_refuses_is_asked_ever_more_seldom_and_a_silent_one_no_less() {
    for says in [Says::No, Says::NoToTheGreeting] {
        let script = Script::of(&[(0, Says::Nothing), (1, says)]);
        let mut away = Away::from(Instant::now());
        let minute = Duration::from_secs(60);
        let reached = timeout(minute, reach(&script, &mut away));
        assert!(reached.await.is_err(), "the silent one may be the peer");
        let refused = script.dials_of(1, minute / 2);
        assert!(refused.len() > 10, "it is asked, all the same: {refused:?}");
        for pair in refused.windows(2) {
            // Half of the longest pause, at least.
            assert!(pair[1] - pair[0] >= Duration::from_secs(1), "{pair:?}");
        }
        let silent = script.dials_of(0, minute / 2);
        assert!(silent.len() > 75, "{}", silent.len());
    }
}
