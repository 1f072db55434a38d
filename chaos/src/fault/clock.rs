//! A node's wall clock jumps, or drifts away. Its monotonic clock stays true.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::{Skew, SkewId};
use crate::until::Looks;

/// What a clock must be wrong by to be seen, in milliseconds, and what is seen of one that
/// is right on a busy machine: less than that.
const SEEN_MS: i64 = 100;
const SLACK_MS: i64 = 50;
/// How long a node may take to have its clock set right: it may be starting, or stand still.
const RIGHT_PATIENCE: Duration = Duration::from_secs(15);

/// `clock-jump`: the clock of a place's nodes is so much ahead, or behind. In the end it
/// jumps back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// Which nodes.
    pub target: Place,
    /// Milliseconds; less than 0 is behind. At most a day.
    pub by_ms: EitherWay<SEEN_MS, 86_400_000>,
}

/// `clock-drift`: the clock of a place's nodes goes so much faster, or slower. In the end it
/// jumps back by what it has gained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDrift {
    /// Which nodes.
    pub target: Place,
    /// Millionths; less than 0 is slower. At most half.
    pub by_ppm: EitherWay<1_000, 500_000>,
}

/// A number from `LEAST` to `MOST`, or as far below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct EitherWay<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> TryFrom<i64> for EitherWay<LEAST, MOST> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let (least, most) = (LEAST.unsigned_abs(), MOST.unsigned_abs());
        if (least..=most).contains(&number.unsigned_abs()) {
            Ok(Self(number))
        } else {
            Err(format!(
                "{number}: from {LEAST} to {MOST}, or from -{MOST} to -{LEAST}"
            ))
        }
    }
}

impl<const LEAST: i64, const MOST: i64> From<EitherWay<LEAST, MOST>> for i64 {
    fn from(number: EitherWay<LEAST, MOST>) -> Self {
        number.0
    }
}

impl ClockJump {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let skew = || Skew::new(self.by_ms.into(), 0);
        begin(&self.target, skew, scene, random).await
    }
}

impl ClockDrift {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let skew = || Skew::new(0, self.by_ppm.into());
        begin(&self.target, skew, scene, random).await
    }
}

/// Makes the clocks of a place wrong.
async fn begin(
    target: &Place,
    skew: impl Fn() -> Skew,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<Struck, FaultError> {
    let (place, nodes) = running_at(target, scene, random).await?;
    let mut wrong = Wrong(Vec::new());
    for node in &nodes {
        match scene.cluster.skew_clock(*node, skew()).await {
            Ok(id) => wrong.0.push(id),
            Err(cause) => {
                wrong.set_right(scene).await?;
                return Err(cause.into());
            }
        }
    }
    Ok(Struck::at(&place, nodes, wrong))
}

/// What clocks were made wrong by.
struct Wrong(Vec<SkewId>);

impl Wrong {
    /// Takes it back on every node that still runs: one that is started again is right.
    async fn set_right(&self, scene: &Scene) -> Result<(), FaultError> {
        let mut first = Ok(());
        for id in &self.0 {
            first = first.and(set_right(scene, *id).await);
        }
        first
    }
}

impl Effect for Wrong {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async move {
            let mut shown = Vec::new();
            for id in &self.0 {
                let ahead_ms = seen_ahead_ms(scene, *id).await?;
                shown.push(format!("node {} by {ahead_ms} ms", id.node));
            }
            let shown = shown.join(", ");
            Some(format!("clocks ahead of this machine's: {shown}"))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { self.set_right(scene).await }.boxed()
    }
}

async fn set_right(scene: &Scene, id: SkewId) -> Result<(), FaultError> {
    let mut looks = Looks::new(RIGHT_PATIENCE, "a clock set right");
    loop {
        let right = scene.cluster.unskew_clock(id).await;
        if right.is_ok() || !scene.cluster.running().contains(&id.node) {
            return Ok(());
        }
        if looks.next().await.is_err() {
            return Ok(right?);
        }
    }
}

/// How far a node's clock shows to be ahead of this machine's, in milliseconds, if it is as
/// far as it is meant to be, and enough of that is this fault's.
async fn seen_ahead_ms(scene: &Scene, id: SkewId) -> Option<i64> {
    let admin = scene.cluster.admin(id.node).ok()?;
    let before = Timestamp::now().as_millisecond();
    let status = super::asked(admin.status()).await.ok()?;
    let under_way_ms = Timestamp::now().as_millisecond() - before;
    let shown_ms = status["clock"]["wall_us"].as_i64()? / 1_000;
    let ahead_ms = shown_ms - (before + under_way_ms / 2);
    let (by_this, by_all) = scene.cluster.clock_ahead_ms(id).await?;
    let is_so = (ahead_ms - by_all).abs() <= under_way_ms / 2 + SLACK_MS;
    (is_so && by_this.abs() >= SEEN_MS).then_some(ahead_ms)
}
