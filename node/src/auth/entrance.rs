//! What stands at the entrance of a node: who is known, how often they may come, and the book
//! of what operators have done.

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Auth;
use crate::audit::Audit;
use crate::caller_limits::CallerLimits;
use crate::config::Config;

/// See the module.
pub(crate) struct Entrance {
    /// Who may do what.
    pub(crate) auth: Auth,
    /// What operators have done.
    pub(crate) audit: Audit,
    /// How many requests each caller may send, if that is bounded.
    pub(crate) caller_limits: Option<CallerLimits>,
}

impl Entrance {
    /// Opens it as it is configured; the data folder is there.
    ///
    /// # Errors
    /// What [`Auth::start`] says, or a folder that cannot be written to.
    pub(crate) fn open(
        config: &Config,
        tracker: &TaskTracker,
        stopping: &CancellationToken,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            auth: Auth::start(config.auth.as_ref(), tracker, stopping)?,
            audit: Audit::open(&config.node.data_dir).context("cannot open the audit log")?,
            caller_limits: config.limits.of_callers(),
        })
    }
}
