//! What is trimmed, decided from numbers alone.

use meridian_replication_core::{LogFloor, VersionVector};

/// Of what a bound allows, this part is freed when it is passed: not at every look again.
const FREED_PART: u64 = 8;

/// Entries of one log that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// Its last entry.
    pub(super) end: LogFloor,
    /// About how many bytes it takes.
    pub(super) bytes: u64,
}

/// One log as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surveyed {
    /// The number of its last entry.
    pub(super) last: u64,
    /// From its floor to its last entry.
    pub(super) sections: Vec<Section>,
}

/// What may be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Entries of each log that are kept although everybody has them.
    pub(super) reserve_entries: u64,
    /// Bytes of all logs.
    pub(super) bytes_max: u64,
}

/// What is to be trimmed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// New floors, one for each log that gets one.
    pub(super) floors: Vec<LogFloor>,
    /// Bytes of what is kept.
    pub(super) bytes: u64,
    /// Whether something goes that somebody lacks.
    pub(super) is_forced: bool,
}

/// What everybody has goes, down to the reserve. If that is not enough, the oldest goes,
/// first of what everybody has, and then of the rest.
pub(super) fn plan(logs: &[Surveyed], everybody: &VersionVector, bounds: Bounds) -> Plan {
    let mut plan = Plan::default();
    let mut kept = Vec::new();
    for log in logs {
        let mut new = None;
        for section in &log.sections {
            let LogFloor {
                origin, shard, seq, ..
            } = section.end;
            let is_lacked = everybody.get(origin, shard) < seq;
            if is_lacked || seq > log.last.saturating_sub(bounds.reserve_entries) {
                plan.bytes += section.bytes;
                kept.push((is_lacked, section));
            } else {
                new = Some(section.end);
            }
        }
        plan.floors.extend(new);
    }
    if plan.bytes > bounds.bytes_max {
        let goal = bounds.bytes_max - bounds.bytes_max / FREED_PART;
        // Within a log time and numbers grow together: what goes is its beginning.
        kept.sort_by_key(|(is_lacked, section)| (*is_lacked, section.end.hlc, section.end.seq));
        for (is_lacked, section) in kept {
            if plan.bytes <= goal {
                break;
            }
            plan.bytes -= section.bytes;
            plan.is_forced |= is_lacked;
            plan.raise(section.end);
        }
    }
    plan
}

impl Plan {
    fn raise(&mut self, floor: LogFloor) {
        let place = (floor.origin, floor.shard);
        let mut floors = self.floors.iter_mut();
        match floors.find(|known| (known.origin, known.shard) == place) {
            Some(known) => *known = floor,
            None => self.floors.push(floor),
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Hlc, NodeId, ShardId};
    use meridian_replication_core::{LogFloor, VersionVector};

    use super::{Bounds, Plan, Section, Surveyed, plan};

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn shard() -> ShardId {
        ShardId::all().next().expect("there are shards")
    }

    fn floor(origin: u64, seq: u64, hlc: u64) -> LogFloor {
        LogFloor {
            origin: node(origin),
            shard: shard(),
            seq,
            hlc: Hlc::from_u64(hlc),
        }
    }

    /// Entries of ten bytes each, at these times.
    fn log(origin: u64, times: &[u64]) -> Surveyed {
        let sections = (1..).zip(times).map(|(seq, time)| Section {
            end: floor(origin, seq, *time),
            bytes: 10,
        });
        Surveyed {
            last: times.len() as u64,
            sections: sections.collect(),
        }
    }

    fn everybody(one: u64, two: u64) -> VersionVector {
        let has = [(node(1), shard(), one), (node(2), shard(), two)];
        has.into_iter().collect()
    }

    const fn bounds(reserve_entries: u64, bytes_max: u64) -> Bounds {
        Bounds {
            reserve_entries,
            bytes_max,
        }
    }

    #[test]
    fn what_everybody_has_goes_down_to_the_reserve() {
        let logs = [log(1, &[1, 2, 3, 4]), log(2, &[5, 6])];
        let trimmed = plan(&logs, &everybody(3, 0), bounds(0, 1_000));
        assert_eq!(trimmed.floors, [floor(1, 3, 3)]);
        assert_eq!((trimmed.bytes, trimmed.is_forced), (30, false));
        let trimmed = plan(&logs, &everybody(4, 2), bounds(2, 1_000));
        assert_eq!(trimmed.floors, [floor(1, 2, 2)]);
        let trimmed = plan(&logs, &everybody(0, 0), bounds(0, 60));
        assert_eq!(trimmed.floors, [], "within the bound");
    }

    #[test]
    fn past_the_bound_the_oldest_goes_first_of_what_nobody_lacks() {
        let logs = [log(1, &[1, 4, 5, 6]), log(2, &[2, 3, 7, 8])];
        let trimmed = plan(&logs, &everybody(0, 0), bounds(0, 64));
        assert_eq!(trimmed.floors, [floor(1, 1, 1), floor(2, 2, 3)]);
        assert_eq!((trimmed.bytes, trimmed.is_forced), (50, true));
        let trimmed = plan(&logs, &everybody(0, 3), bounds(9, 64));
        assert_eq!(trimmed.floors, [floor(2, 3, 7)]);
        assert_eq!((trimmed.bytes, trimmed.is_forced), (50, false));
        let trimmed = plan(&logs, &everybody(0, 0), bounds(9, 0));
        assert_eq!(trimmed.bytes, 0, "a member that never comes holds nothing");
        assert_eq!(plan(&[], &everybody(0, 0), bounds(0, 0)), Plan::default());
    }
}
