//! The index by which listings are found.

use prometheus::{IntGauge, Registry};

use super::set;
use crate::search::SearchDesk;

const LISTINGS: &str = "meridian_search_listings";
const MISSING: &str = "meridian_search_missing_listings";
const COMMITS: &str = "meridian_search_commits";
const COMPARISONS: &str = "meridian_search_comparisons";
const PUT_OFF: &str = "meridian_search_put_off";
const REOPENED: &str = "meridian_search_reopened";
const AGE: &str = "meridian_search_age_milliseconds";

/// What is told of it.
#[derive(Debug)]
pub(super) struct SearchMetrics {
    listings: IntGauge,
    missing: IntGauge,
    commits: IntGauge,
    comparisons: IntGauge,
    put_off: IntGauge,
    reopened: IntGauge,
    age: IntGauge,
}

impl SearchMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            listings: gauge(LISTINGS, "Listings that searches find")?,
            missing: gauge(
                MISSING,
                "Listings that searches do not find yet, while the index is built",
            )?,
            commits: gauge(COMMITS, "Commits of the search index since start")?,
            comparisons: gauge(
                COMPARISONS,
                "Times since start that the search index was compared with the database",
            )?,
            put_off: gauge(
                PUT_OFF,
                "Commits of the search index since start that were put off for a backlog of \
                 other nodes' changes",
            )?,
            reopened: gauge(
                REOPENED,
                "Times since start that the search index failed and was opened again, or built \
                 anew",
            )?,
            age: gauge(
                AGE,
                "How long ago everything was written that searches find, in milliseconds; -1 \
                 while that is not known",
            )?,
        })
    }

    pub(super) fn sample(&self, desk: &SearchDesk, now_ms: u64) {
        let indexed = desk.indexed();
        set(&self.listings, desk.listings());
        set(&self.missing, indexed.missing);
        set(&self.commits, indexed.commits);
        set(&self.comparisons, indexed.comparisons);
        set(&self.put_off, indexed.put_off);
        set(&self.reopened, indexed.reopened);
        match indexed.as_of {
            Some(as_of) => set(&self.age, now_ms.saturating_sub(as_of.as_millis())),
            None => self.age.set(-1),
        }
    }
}
