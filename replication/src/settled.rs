//! What other nodes have of what was here some time ago.
//!
//! Under load nobody has everything: a change is on its writer's disk alone until it has
//! crossed. What can be known is who has, by its own word, what was here at an earlier
//! instant; whoever keeps that instant's [`LogMark`] can ask. Words come every few seconds
//! (`told.rs`), so that a mark must be older than that before it says anything.

use meridian_regions::{NodeId, Shards};
use meridian_replication_core::VersionVector;

use crate::replica::Replica;

/// How far the logs here had come at an instant: one number for each log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMark(VersionVector);

impl Replica {
    /// How far the logs here have come now.
    #[must_use]
    pub fn log_mark(&self) -> LogMark {
        LogMark(self.inner().progress.vector())
    }

    /// The shards that a node holds and of which it has durably everything that was here at
    /// a mark, by its own word; `None` before it has spoken since this node started.
    #[must_use]
    pub fn settled_on(&self, node: NodeId, mark: &LogMark) -> Option<Shards> {
        let inner = self.inner();
        let word = inner.told.word(node)?;
        let members = inner.progress.others();
        let member = members.iter().find(|member| member.node == node)?;
        Some(member.holds - missing(&mark.0, &word))
    }
}

/// The shards of which `word` lacks something that a mark has.
fn missing(mark: &VersionVector, word: &VersionVector) -> Shards {
    let behind = mark.iter();
    let behind = behind.filter(|(origin, shard, seq)| word.get(*origin, *shard) < *seq);
    behind.map(|(_, shard, _)| shard).collect()
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, ShardId, Shards};
    use meridian_replication_core::VersionVector;

    use super::missing;

    #[test]
    fn shard_is_missing_something_if_any_of_its_logs_is_shorter() {
        let node = |id| NodeId::new(id).expect("not zero");
        let shard = |number| ShardId::new(number).expect("a shard");
        let mark: VersionVector = [
            (node(1), shard(3), 5),
            (node(2), shard(3), 1),
            (node(2), shard(4), 7),
        ]
        .into_iter()
        .collect();
        let word: VersionVector = [
            (node(1), shard(3), 5),
            (node(2), shard(4), 9),
            (node(3), shard(5), 1),
        ]
        .into_iter()
        .collect();
        assert_eq!(missing(&mark, &word), Shards::from(shard(3)));
        assert_eq!(missing(&mark, &mark), Shards::NONE);
        assert_eq!(missing(&VersionVector::new(), &word), Shards::NONE);
    }
}
