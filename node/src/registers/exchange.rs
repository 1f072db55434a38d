//! Compares this node's registers with those of every other node, and fetches what is newer
//! there. A node only fetches; every node does.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use meridian_storage::StorageError;
use meridian_transport::{Channel, Refusal};
use prost::Message;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Registers;
use super::record::{Record, Space, Stamp};
use super::wire::{Answer, Ask, Bucket, Known};

/// How often each other node is asked: eight bytes, as long as nothing differs.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ASK_DEADLINE: Duration = Duration::from_secs(2);
/// Buckets fetched of one node in a round.
const BUCKETS_A_ROUND: usize = 64;
/// Bytes of registers in an answer, about: the rest comes in the next round.
const ANSWER_BYTES_MAX: usize = 512 * 1_024;
/// Registers of a bucket that are named in a question: what is beyond is sent again.
const KNOWN_MAX: usize = 4_096;
/// How long a node that has started waits for those that it cannot reach.
const START_PATIENCE: Duration = Duration::from_secs(3);

/// Why another node's registers were not fetched.
#[derive(Debug, thiserror::Error)]
enum Uncompared {
    #[error("no answer that can be read")]
    Unanswered,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Registers {
    /// Starts comparing; ends with `cancel`.
    pub(crate) fn start(&self, tracker: &TaskTracker, cancel: &CancellationToken) {
        let (registers, cancel) = (self.clone(), cancel.clone());
        tracker.spawn(async move {
            let started = Instant::now();
            let mut rounds = interval(COMPARE_EVERY);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let forever = async {
                loop {
                    rounds.tick().await;
                    let heard = registers.round().await;
                    if heard || started.elapsed() >= START_PATIENCE {
                        registers.0.caught_up.send_replace(true);
                    }
                }
            };
            cancel.run_until_cancelled(forever).await;
        });
    }

    /// Asks every node that can be reached; answers whether all have been heard.
    async fn round(&self) -> bool {
        let mut heard = true;
        for peer in &self.0.peers {
            if self.0.mesh.alive_for(*peer).is_none() {
                heard = false;
                continue;
            }
            if let Err(cause) = self.compare(*peer).await {
                heard = false;
                if let Uncompared::Storage(cause) = cause {
                    tracing::error!(%cause, "cannot compare registers");
                }
            }
        }
        heard
    }

    async fn compare(&self, peer: NodeId) -> Result<(), Uncompared> {
        let whole = self.digests().whole();
        let ask = Ask {
            digests_unless: Some(whole),
            ..Ask::default()
        };
        let theirs = self.ask(peer, &ask).await?.digests;
        let differing: Vec<(Space, u8)> = self
            .digests()
            .differing(&theirs)
            .take(BUCKETS_A_ROUND)
            .collect();
        for (space, bucket) in differing {
            let ours = self.0.store.bucket(space, bucket)?;
            let ask = Ask {
                bucket: Some(Bucket {
                    space: u32::from(space.code()),
                    bucket: u32::from(bucket),
                    known: ours.iter().take(KNOWN_MAX).map(Known::from).collect(),
                }),
                ..Ask::default()
            };
            let newer = self.ask(peer, &ask).await?.newer;
            for register in newer.into_iter().filter_map(Record::read) {
                self.take(register).await?;
            }
        }
        Ok(())
    }

    async fn ask(&self, peer: NodeId, ask: &Ask) -> Result<Answer, Uncompared> {
        let bytes = ask.encode_to_vec().into();
        let mesh = &self.0.mesh;
        let answer = mesh.call(peer, Channel::Registers, bytes, ASK_DEADLINE);
        let answer = answer.await.map_err(|_unanswered| Uncompared::Unanswered)?;
        Answer::decode(answer).map_err(|_later_version| Uncompared::Unanswered)
    }

    /// Serves what another node asks or offers. What is offered is on disk when this answers.
    pub(crate) async fn serve(&self, request: Bytes) -> Result<Bytes, Refusal> {
        let ask = Ask::decode(request).map_err(|_later_version| Refusal::Unsupported)?;
        let failed = |cause: StorageError| {
            tracing::error!(%cause, "cannot serve registers");
            Refusal::Unavailable
        };
        for register in ask.take.into_iter().filter_map(Record::read) {
            self.take(register).await.map_err(failed)?;
        }
        let mut answer = Answer::default();
        if let Some(whole) = ask.digests_unless {
            let digests = self.digests();
            if digests.whole() != whole {
                answer.digests = digests.as_slice().to_vec();
            }
        }
        if let Some(bucket) = ask.bucket {
            answer.newer = self.newer(&bucket).map_err(failed)?;
        }
        Ok(answer.encode_to_vec().into())
    }

    /// What another node lacks of a bucket, or has in an older version.
    fn newer(&self, asked: &Bucket) -> Result<Vec<Record>, StorageError> {
        let space = Space::from_code(asked.space);
        let (Some(space), Ok(bucket)) = (space, u8::try_from(asked.bucket)) else {
            return Ok(Vec::new());
        };
        let known: HashMap<&str, Stamp> = asked
            .known
            .iter()
            .map(|known| (known.key.as_str(), known.stamp()))
            .collect();
        let mut bytes = 0;
        let mut newer = Vec::new();
        for register in self.0.store.bucket(space, bucket)? {
            let theirs = known.get(register.key.as_str()).copied();
            if !register.stamp.supersedes(theirs) {
                continue;
            }
            let record = Record::from(&register);
            bytes += record.encoded_len();
            if !newer.is_empty() && bytes > ANSWER_BYTES_MAX {
                break;
            }
            newer.push(record);
        }
        Ok(newer)
    }
}
