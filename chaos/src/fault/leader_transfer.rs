//! Leaders hand over to another voter. The operator API has no way to ask for it yet.

use serde::{Deserialize, Serialize};

use super::error::FaultError;

/// `leader-transfer`: the groups in use that a node leads are handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderTransfer {}

/// Refuses it.
pub(super) fn refused() -> FaultError {
    FaultError::NotHere {
        fault: "leader-transfer",
        why: "nodes of this version cannot be asked to hand over: `pause` the leader instead"
            .to_owned(),
    }
}
