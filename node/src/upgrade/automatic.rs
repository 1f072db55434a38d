//! Turns the next level of formats on by itself, once every node has spoken it for long enough.
//!
//! Every node looks, and counts from what it has heard itself: a node that is away, or is put
//! back to the former release, begins the time anew, and so does a restart of the one that
//! looks. Whoever is first changes the map, which any later one finds done.
//!
//! Invariants kept here: nothing is turned on that `meridian upgrade finalize` would be refused; and
//! what is in the way is logged when it is news, not at each look.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use meridian_regions::{FormatLevel, LayoutError, Levels, NodeId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Block, blocked_by, wanted};
use crate::admin::upgrade::speakers;
use crate::cluster_map::LayoutFault;
use crate::node::Node;

/// How often is looked, at most: a node that was away for less may go unnoticed, and was back.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);
/// And at least, where the time is short.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(100);

/// States that are remembered as told: several of each node of a large cluster. What is new behind
/// that many is not told before things change.
const TOLD_MAX: usize = 256;

/// What was told of how things stand: that they still do, is no news, and neither is what comes
/// and goes.
#[derive(Debug)]
struct Told<T>(Vec<T>);

impl<T: PartialEq> Told<T> {
    const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Takes note of a state that is told; answers whether it was not yet.
    fn is_news(&mut self, state: T) -> bool {
        let is_news = self.0.len() < TOLD_MAX && !self.0.contains(&state);
        if is_news {
            self.0.push(state);
        }
        is_news
    }

    fn forget(&mut self) {
        self.0.clear();
    }
}

/// What a look has found of the next level.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// There is none.
    Nothing,
    /// Somebody speaks it, and this is in the way of turning it on.
    Blocked(FormatLevel, Vec<Block>),
    /// It could be turned on now.
    Ready(FormatLevel),
}

/// What has been so for long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    TurnOn(FormatLevel),
    /// It would be on if this were not in the way.
    Tell(FormatLevel, Vec<String>),
}

/// Since when it has been as it is.
#[derive(Debug)]
struct Soak {
    after: Duration,
    ready: Option<(FormatLevel, Instant)>,
    blocked: Option<(FormatLevel, Instant)>,
    /// Which nodes were told to be in the way, and by what they speak.
    told: Told<(NodeId, Option<Levels>)>,
    /// Why a level was told not to be turned on though nothing is in the way.
    failed: Told<Discriminant<LayoutFault>>,
}

impl Soak {
    const fn new(after: Duration) -> Self {
        Self {
            after,
            ready: None,
            blocked: None,
            told: Told::nothing(),
            failed: Told::nothing(),
        }
    }

    /// Takes what a look has found; answers what has been found for long enough.
    fn observe(&mut self, found: Found, now: Instant) -> Option<Due> {
        let (ready, blocked) = match &found {
            Found::Nothing => (None, None),
            Found::Ready(level) => (Some(*level), None),
            Found::Blocked(level, _) => (None, Some(*level)),
        };
        let before = (self.ready, self.blocked);
        let ready = note(&mut self.ready, ready, now);
        let blocked = note(&mut self.blocked, blocked, now);
        if (self.ready, self.blocked) != before {
            self.told.forget();
            self.failed.forget();
        }
        let after = self.after;
        let is_long =
            |since: Option<Instant>| since.is_some_and(|since| now.duration_since(since) >= after);
        match found {
            Found::Ready(level) if is_long(ready) => Some(Due::TurnOn(level)),
            Found::Blocked(level, why) if is_long(blocked) => {
                // Every one of them is noted.
                let news = why.iter().map(|block| (block.node, block.speaks));
                let news = news.filter(|state| self.told.is_news(*state)).count();
                let why = why.into_iter().map(|block| block.what).collect();
                (news > 0).then_some(Due::Tell(level, why))
            }
            _ => None,
        }
    }

    /// Whether it is news that a level cannot be turned on for such a cause.
    fn fails(&mut self, cause: &LayoutFault) -> bool {
        self.failed.is_news(discriminant(cause))
    }
}

/// Notes since when a level has been so.
fn note(
    since: &mut Option<(FormatLevel, Instant)>,
    level: Option<FormatLevel>,
    now: Instant,
) -> Option<Instant> {
    *since = level.map(|level| match *since {
        Some((known, since)) if known == level => (level, since),
        _ => (level, now),
    });
    since.map(|(_, since)| since)
}

/// Looks, unless upgrades are ended by hand.
pub(crate) fn start(node: &Arc<Node>, tracker: &TaskTracker, cancel: &CancellationToken) {
    let Some(after) = node.config.upgrade.finalize_after() else {
        return;
    };
    let (node, cancel) = (Arc::clone(node), cancel.clone());
    tracker.spawn(async move {
        let driven = Box::pin(drive(&node, after));
        cancel.run_until_cancelled(driven).await
    });
}

async fn drive(node: &Node, after: Duration) {
    let every = (after / 4).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
    let mut soak = Soak::new(after);
    loop {
        sleep(every).await;
        match soak.observe(look(node), Instant::now()) {
            Some(Due::TurnOn(level)) => {
                if let Err(cause) = raise(node, level).await {
                    say_not_raised(level, &cause, soak.fails(&cause));
                }
            }
            Some(Due::Tell(level, why)) => tracing::info!(
                %level,
                "a level of formats is not turned on by itself: {}",
                why.join("; ")
            ),
            None => {}
        }
    }
}

/// What `meridian upgrade finalize` would turn on now, or what would keep it from that.
fn look(node: &Node) -> Found {
    // A cluster that goes by its files has no entry to agree by.
    let Some(map) = node.map.known().map(|known| known.map) else {
        return Found::Nothing;
    };
    let speakers = speakers(node, &map);
    let Some(level) = wanted(map.format_level(), &speakers) else {
        return Found::Nothing;
    };
    match blocked_by(level, &speakers) {
        why if why.is_empty() => Found::Ready(level),
        why => Found::Blocked(level, why),
    }
}

async fn raise(node: &Node, level: FormatLevel) -> Result<(), LayoutFault> {
    let standing = node.map.standing().await?;
    // The map may have got a node since: who is new has to be asked.
    if !blocked_by(level, &speakers(node, &standing.map)).is_empty() {
        return Ok(());
    }
    let raised = node.map.raise(level, standing.map.epoch()).await?;
    let epoch = raised.map.epoch();
    tracing::info!(%level, epoch, "a level of formats was turned on: every node speaks it");
    Ok(())
}

/// There is no quorum, say: it is looked at again.
fn say_not_raised(level: FormatLevel, cause: &LayoutFault, is_news: bool) {
    if is_lost_race(cause) {
        tracing::debug!(%level, %cause, "a level of formats is turned on by another node");
    } else if is_news {
        tracing::warn!(%level, %cause, "a level of formats cannot be turned on yet");
    } else {
        tracing::debug!(%level, %cause, "a level of formats still cannot be turned on");
    }
}

/// Whether another node has changed the map first: every node looks, and one is the first.
const fn is_lost_race(cause: &LayoutFault) -> bool {
    matches!(
        cause,
        LayoutFault::Moved { .. } | LayoutFault::Refused(LayoutError::Level(_))
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::{FormatLevel, LayoutError, Levels, NodeId};
    use tokio::time::Instant;

    use super::{Block, Due, Found, Soak, TOLD_MAX, Told, is_lost_race};
    use crate::cluster_map::LayoutFault;

    #[test]
    fn level_waits_until_it_could_be_turned_on_for_long_enough_without_a_break() {
        let (first, next) = (FormatLevel::FIRST, FormatLevel::REHEARSED);
        let after = Duration::from_secs(60);
        let mut soak = Soak::new(after);
        let began = Instant::now();
        let mut at = |seconds, ready: Option<FormatLevel>| {
            let found = ready.map_or(Found::Nothing, Found::Ready);
            match soak.observe(found, began + Duration::from_secs(seconds)) {
                Some(Due::TurnOn(level)) => Some(level),
                Some(Due::Tell(..)) => panic!("nothing is in the way"),
                None => None,
            }
        };
        assert_eq!(at(0, Some(next)), None);
        assert_eq!(at(59, Some(next)), None);
        // A node is away for a moment.
        assert_eq!(at(59, None), None);
        assert_eq!(at(60, Some(next)), None);
        assert_eq!(at(119, Some(next)), None);
        assert_eq!(at(120, Some(next)), Some(next));
        // Another level has a time of its own.
        assert_eq!(at(121, Some(first)), None);
        assert_eq!(at(181, Some(first)), Some(first));
    }

    #[test]
    fn what_is_in_the_way_is_told_after_as_long_and_the_time_begins_anew_after_it() {
        let next = FormatLevel::REHEARSED;
        let mut soak = Soak::new(Duration::from_secs(60));
        let began = Instant::now();
        let mut at = |seconds, found| soak.observe(found, began + Duration::from_secs(seconds));
        let blocked = || Found::Blocked(next, vec![silent("no answer in time")]);
        assert_eq!(at(0, blocked()), None);
        assert_eq!(at(59, blocked()), None);
        let told = Due::Tell(next, vec![silent("no answer in time").what]);
        assert_eq!(at(60, blocked()), Some(told.clone()));
        assert_eq!(at(200, blocked()), None, "it is known");
        let news = Due::Tell(next, vec![old().what]);
        assert_eq!(at(200, Found::Blocked(next, vec![old()])), Some(news));
        assert_eq!(at(201, Found::Ready(next)), None);
        assert_eq!(at(260, Found::Ready(next)), None);
        assert_eq!(at(261, Found::Ready(next)), Some(Due::TurnOn(next)));
        assert_eq!(at(262, blocked()), None);
        assert_eq!(at(322, blocked()), Some(told));
    }

    /// Node 3, which is not heard.
    fn silent(error: &str) -> Block {
        Block {
            node: NodeId::new(3).expect("not zero"),
            speaks: None,
            what: format!("node 3 is not heard ({error})"),
        }
    }

    /// Node 3, with an earlier release.
    fn old() -> Block {
        Block {
            speaks: Some(Levels::RELEASED),
            what: "node 3 speaks levels 1 to 2".to_owned(),
            ..silent("")
        }
    }

    #[test]
    fn errors_and_states_that_take_turns_are_told_once() {
        let next = FormatLevel::REHEARSED;
        let mut soak = Soak::new(Duration::from_secs(60));
        let began = Instant::now();
        let mut told = 0;
        for look in 0..1_000 {
            let block = match look % 3 {
                0 => silent("no answer in time"),
                1 => silent("connection refused"),
                _ => old(),
            };
            let found = Found::Blocked(next, vec![block]);
            let due = soak.observe(found, began + Duration::from_secs(10 * look));
            told += usize::from(due.is_some());
        }
        assert_eq!(told, 2, "it is silent; it speaks too little");
        let causes = ["no quorum", "no leader"].map(|cause| LayoutFault::Unreadable(cause.into()));
        for look in 0..100 {
            let [one, other] = &causes;
            let (unreadable, unfounded) =
                (soak.fails(one) | soak.fails(other), LayoutFault::NotFounded);
            assert_eq!((unreadable, soak.fails(&unfounded)), (look == 0, look == 0));
        }
        soak.observe(Found::Ready(next), began + Duration::from_secs(20_000));
        assert!(soak.fails(&causes[0]), "things have changed");
    }

    #[test]
    fn what_is_remembered_as_told_is_bounded() {
        let mut told = Told::nothing();
        let news = (0..2 * TOLD_MAX)
            .filter(|state| told.is_news(*state))
            .count();
        assert_eq!((news, told.0.len()), (TOLD_MAX, TOLD_MAX));
        told.forget();
        assert!(told.is_news(0));
    }

    #[test]
    fn whoever_comes_second_to_turn_a_level_on_has_nothing_to_warn_of() {
        let level = LayoutError::Level(FormatLevel::REHEARSED);
        assert!(is_lost_race(&LayoutFault::Refused(level)));
        assert!(is_lost_race(&LayoutFault::Moved { epoch: 8 }));
        assert!(!is_lost_race(&LayoutFault::NotFounded));
    }
}
