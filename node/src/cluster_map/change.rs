//! Changes of the map, as entries of the control group's log.

use std::time::Duration;

use meridian_consensus::Source;
use meridian_consensus_core::{Chart, Command, Draw, Op, Outcome, Rejection};
use meridian_regions::{Change, FormatLevel, Genesis, LayoutError, Topology};
use tokio::time::Instant;

use super::ClusterMap;
use super::file::{Charted, Stage};
use crate::booking::{DeskError, Errand};
use crate::request_id::RequestId;

/// Time for one entry, an election included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why the map was not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutFault {
    #[error("this cluster goes by its topology files: run `meridian init` first, once")]
    NotFounded,
    #[error(transparent)]
    Refused(#[from] LayoutError),
    #[error("the map has been changed meanwhile, its epoch is {epoch}: look at it again")]
    Moved { epoch: u64 },
    /// Nothing was done: somebody has staged or forgotten changes since.
    #[error(
        "other changes wait by now than those that were seen: look at the plan, and apply what it \
         shows"
    )]
    Restaged,
    /// A map of the epoch that was asked for stands, or has stood: it may have come of the same
    /// request before.
    #[error(
        "the map's epoch is {epoch} already, and whether anything of this change was done before is \
         not known: look at the map, stage what it lacks, and drain nodes that go by it (`meridian \
         drain`)"
    )]
    Superseded { epoch: u64 },
    #[error(transparent)]
    Unanswered(#[from] DeskError),
    #[error("the map in the log cannot be read: {0}")]
    Unreadable(String),
}

impl LayoutFault {
    /// Whether nothing of what was asked for has been done, nor will be.
    pub(crate) const fn is_undone(&self) -> bool {
        matches!(
            self,
            Self::NotFounded | Self::Refused(_) | Self::Moved { .. } | Self::Restaged
        )
    }
}

/// The map and what is to become of it, as the control group has them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) genesis: Genesis,
    pub(crate) map: Topology,
    pub(crate) staged: Vec<Change>,
    /// Of the control group's ledger: who changes it says what he has seen.
    pub(crate) revision: u64,
}

/// A map that the changes that wait come to, and may be put into force.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) map: Topology,
    pub(crate) before: Standing,
}

impl ClusterMap {
    /// The map, linearizably.
    ///
    /// # Errors
    /// [`LayoutFault`].
    pub(crate) async fn standing(&self) -> Result<Standing, LayoutFault> {
        let founded = self.known().ok_or(LayoutFault::NotFounded)?;
        let request = RequestId::generate();
        let ledger = self
            .inner
            .desk
            .read(errand(&founded.genesis, &request))
            .await?;
        let Some(chart) = ledger.chart() else {
            // Founded, and the first entry was not written: whoever comes next writes it.
            let map = founded.map.clone();
            return self.draw(&founded.genesis, map, &[], 0).await;
        };
        standing(founded.genesis, chart, ledger.revision())
    }

    /// Adds a change to those that wait. Nothing of it is in force before they are applied.
    ///
    /// # Errors
    /// [`LayoutFault`]: among others, that the map cannot be changed so.
    pub(crate) async fn stage(&self, change: Change) -> Result<Standing, LayoutFault> {
        let before = self.standing().await?;
        let mut staged = before.staged;
        staged.push(change);
        before.map.changed(&staged)?;
        self.draw(&before.genesis, before.map, &staged, before.revision)
            .await
    }

    /// Forgets the changes that wait.
    ///
    /// # Errors
    /// [`LayoutFault`].
    pub(crate) async fn revert(&self) -> Result<Standing, LayoutFault> {
        let before = self.standing().await?;
        self.draw(&before.genesis, before.map, &[], before.revision)
            .await
    }

    /// The map of `epoch`, as the changes come to that wait: those of a revision, if their planner
    /// says which he has seen.
    ///
    /// # Errors
    /// [`LayoutFault`]: among others, that others have changed the map or what waits since, or that
    /// the map has been changed already, by whomever.
    pub(crate) async fn next(&self, epoch: u64, seen: Option<u64>) -> Result<Next, LayoutFault> {
        let before = self.standing().await?;
        if epoch <= before.map.epoch() {
            let epoch = before.map.epoch();
            return Err(LayoutFault::Superseded { epoch });
        }
        if seen.is_some_and(|seen| seen != before.revision) {
            return Err(LayoutFault::Restaged);
        }
        let map = before.map.changed(&before.staged)?;
        if map.epoch() != epoch {
            let epoch = before.map.epoch();
            return Err(LayoutFault::Moved { epoch });
        }
        Ok(Next { map, before })
    }

    /// Puts a map into force, unless anything has changed since it was made.
    ///
    /// # Errors
    /// [`LayoutFault`]: among others, that others have changed the map or what waits since, or that
    /// the map has been changed already, by whomever.
    pub(crate) async fn apply(&self, next: Next) -> Result<Standing, LayoutFault> {
        let Next { map, before } = next;
        let epoch = map.epoch();
        let drawn = self.draw(&before.genesis, map, &[], before.revision);
        drawn.await.map_err(|fault| match fault {
            // An attempt of which no answer came may have been first.
            LayoutFault::Moved { epoch: standing } if epoch <= standing => {
                LayoutFault::Superseded { epoch: standing }
            }
            LayoutFault::Moved { epoch: standing } if standing == before.map.epoch() => {
                LayoutFault::Restaged
            }
            other => other,
        })
    }

    /// Has a later level of formats written, by the map after that of `epoch`, which its
    /// operator has seen. Changes that wait go on waiting. Whether every node speaks the level is
    /// for the caller to know. The level that is written already changes nothing.
    ///
    /// # Errors
    /// [`LayoutFault`]: among others, that others have changed the map since.
    pub(crate) async fn raise(
        &self,
        level: FormatLevel,
        epoch: u64,
    ) -> Result<Standing, LayoutFault> {
        let before = self.standing().await?;
        if before.map.format_level() == level {
            return Ok(before);
        }
        if before.map.epoch() != epoch {
            let epoch = before.map.epoch();
            return Err(LayoutFault::Moved { epoch });
        }
        let next = before.map.raised(level)?;
        self.draw(&before.genesis, next, &before.staged, before.revision)
            .await
    }

    async fn draw(
        &self,
        genesis: &Genesis,
        map: Topology,
        staged: &[Change],
        seen: u64,
    ) -> Result<Standing, LayoutFault> {
        let chart = Chart {
            epoch: map.epoch(),
            map: map.to_toml(),
            staged: match staged {
                [] => String::new(),
                some => serde_json::to_string(some).map_err(unreadable)?,
            },
        };
        let request = RequestId::generate();
        let command = Command::new(
            Op::Draw(Draw {
                chart: chart.clone(),
                seen,
            }),
            None,
        );
        let applied = self.inner.desk.propose(errand(genesis, &request), command);
        let applied = applied.await?;
        let revision = match applied.outcome() {
            Outcome::Charted(revision) => *revision,
            other => {
                return Err(match other.rejection() {
                    Some(Rejection::MapMoved { epoch }) => LayoutFault::Moved { epoch },
                    refused => LayoutFault::Unreadable(format!("{refused:?}")),
                });
            }
        };
        let drawn = standing(genesis.clone(), &chart, revision)?;
        let later = Charted {
            genesis: genesis.clone(),
            stage: Stage::Founded,
            map: drawn.map.clone(),
        };
        // It stands in the log: what fails from here on comes by another node.
        match self.adopt(later).await {
            Ok(()) => self.announce().await,
            Err(cause) => tracing::error!(%cause, "a map that was applied is not written here"),
        }
        Ok(drawn)
    }
}

fn errand<'a>(genesis: &'a Genesis, request: &'a RequestId) -> Errand<'a> {
    Errand {
        genesis,
        request,
        source: Source::Background,
        deadline: Instant::now() + DEADLINE,
    }
}

fn standing(genesis: Genesis, chart: &Chart, revision: u64) -> Result<Standing, LayoutFault> {
    let staged = match chart.staged.as_str() {
        "" => Vec::new(),
        some => serde_json::from_str(some).map_err(unreadable)?,
    };
    Ok(Standing {
        genesis,
        map: Topology::from_toml(&chart.map).map_err(unreadable)?,
        staged,
        revision,
    })
}

fn unreadable(cause: impl ToString) -> LayoutFault {
    LayoutFault::Unreadable(cause.to_string())
}
