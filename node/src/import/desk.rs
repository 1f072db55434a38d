//! Imported rows become listings at one node of their home region.
//!
//! An imported listing's id is derived from its source, so that importing again
//! finds it. Two nodes could therefore create the same listing at once, each with
//! its own genesis record. Rendezvous hashing names one node of the home region
//! as the writer of that record, and every other node forwards the row to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{
    Genesis, Holdings, ListingId, NodeId, RegionId, Topology, owner_in_home, place_voters,
};
use meridian_replication::Replica;
use meridian_replication_core::{External, FieldError, ListingDraft, ValidDraft};
use meridian_transport::{Channel, Mesh, NodeIdentity};
use prost::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Rows in one request: a second's work of a node.
pub(crate) const ROWS_MAX: usize = 2_000;
/// How long another node may take over forwarded rows.
const FORWARD_DEADLINE: Duration = Duration::from_secs(30);

/// A row as the operator API takes it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportRow {
    /// Where the listing comes from, as in `inside-airbnb`.
    pub(crate) source: String,
    /// Its id there.
    pub(crate) external_id: String,
    /// The listing, as in `POST /v1/listings`; its price may be missing.
    pub(crate) draft: Value,
}

/// What came of a request's rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ImportSummary {
    /// New listings.
    pub(crate) created: u64,
    /// Listings that differed from their rows.
    pub(crate) updated: u64,
    /// Listings that were as their rows say.
    pub(crate) unchanged: u64,
    /// Rows that are no listings.
    pub(crate) rejected: Vec<RejectedRow>,
}

/// A row that was refused; the others of its request were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RejectedRow {
    /// Position in the request, from 0.
    pub(crate) index: usize,
    /// What is wrong with it.
    pub(crate) errors: Vec<RowError>,
}

/// One field of a refused row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowError {
    /// RFC 6901.
    pub(crate) pointer: String,
    /// What is wrong, and what was expected.
    pub(crate) detail: String,
}

/// Takes rows at any node and brings each to the node that owns it.
#[derive(Clone)]
pub(crate) struct ImportDesk {
    node: NodeId,
    region: RegionId,
    topology: Arc<Topology>,
    holdings: Arc<Holdings>,
    replica: Replica,
    mesh: Mesh,
}

/// Why a whole request of rows has no summary. Rows may have been imported: the
/// request can be repeated, because importing is idempotent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImportError {
    /// More rows than a request may have.
    #[error("{rows} rows in one request: send at most {ROWS_MAX}")]
    TooMany {
        /// Rows that were sent.
        rows: usize,
    },
    /// The node that owns some of the rows has no answer.
    #[error(
        "node {owner} owns some of the rows and has not confirmed them: {cause}; repeat the import"
    )]
    Owner {
        /// The owner.
        owner: NodeId,
        /// What went wrong on the way.
        cause: String,
    },
    /// The listing plane of this node refused.
    #[error("{0}")]
    Replica(String),
}

/// Rows forwarded to their owner: JSON inside, because drafts are JSON at the edge
/// and are validated again where they land.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ForwardedRows {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) rows: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ForwardedSummary {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) summary: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) error: String,
}

/// A valid row, ready to be written by its owner.
struct Valid {
    index: usize,
    id: ListingId,
    draft: ValidDraft,
    row: ImportRow,
}

impl ImportDesk {
    pub(crate) fn new(
        identity: &NodeIdentity,
        (topology, holdings): (Arc<Topology>, Arc<Holdings>),
        replica: Replica,
        mesh: Mesh,
    ) -> Self {
        Self {
            node: identity.node,
            region: identity.region.clone(),
            topology,
            holdings,
            replica,
            mesh,
        }
    }

    /// Imports rows, wherever they belong; answers once all are durable there.
    pub(crate) async fn import(&self, rows: Vec<ImportRow>) -> Result<ImportSummary, ImportError> {
        if rows.len() > ROWS_MAX {
            return Err(ImportError::TooMany { rows: rows.len() });
        }
        let mut summary = ImportSummary::default();
        let mut by_owner: BTreeMap<NodeId, Vec<Valid>> = BTreeMap::new();
        for (index, row) in rows.into_iter().enumerate() {
            match self.validate(index, row) {
                Ok((owner, valid)) => by_owner.entry(owner).or_default().push(valid),
                Err(errors) => summary.rejected.push(RejectedRow { index, errors }),
            }
        }
        for (owner, rows) in by_owner {
            let indexes: Vec<usize> = rows.iter().map(|row| row.index).collect();
            let part = if owner == self.node {
                self.write(rows).await?
            } else {
                self.forward(owner, rows).await?
            };
            summary.add(part, &indexes);
        }
        summary.rejected.sort_by_key(|rejected| rejected.index);
        Ok(summary)
    }

    /// Serves rows that another node forwarded to this one.
    pub(crate) async fn serve(&self, request: Bytes) -> Bytes {
        let summary = match self.serve_decoded(request).await {
            Ok(summary) => ForwardedSummary {
                summary: serde_json::to_vec(&summary).unwrap_or_default(),
                error: String::new(),
            },
            Err(cause) => ForwardedSummary {
                summary: Vec::new(),
                error: cause,
            },
        };
        summary.encode_to_vec().into()
    }

    async fn serve_decoded(&self, request: Bytes) -> Result<ImportSummary, String> {
        let forwarded = ForwardedRows::decode(request).map_err(|cause| cause.to_string())?;
        let rows: Vec<ImportRow> =
            serde_json::from_slice(&forwarded.rows).map_err(|cause| cause.to_string())?;
        let mut summary = ImportSummary::default();
        let mut own = Vec::with_capacity(rows.len().min(ROWS_MAX));
        for (index, row) in rows.into_iter().enumerate() {
            match self.validate(index, row) {
                Ok((owner, valid)) if owner == self.node => own.push(valid),
                // Passing it on again could go in circles while topologies differ.
                Ok((owner, _)) => {
                    return Err(format!(
                        "node {} does not own row {index}, node {owner} does by its topology",
                        self.node
                    ));
                }
                Err(errors) => summary.rejected.push(RejectedRow { index, errors }),
            }
        }
        let indexes: Vec<usize> = own.iter().map(|row| row.index).collect();
        let part = self.write(own).await.map_err(|cause| cause.to_string())?;
        summary.add(part, &indexes);
        Ok(summary)
    }

    fn validate(&self, index: usize, mut row: ImportRow) -> Result<(NodeId, Valid), Vec<RowError>> {
        let mut draft: ListingDraft =
            serde_json::from_value(row.draft.clone()).map_err(|cause| {
                vec![RowError {
                    pointer: "/draft".to_owned(),
                    detail: cause.to_string(),
                }]
            })?;
        // The home region is part of the id: it is settled before the row travels.
        let home = draft
            .home_region
            .get_or_insert_with(|| self.region.clone())
            .clone();
        row.draft["home_region"] = json!(home);
        draft.external = Some(External {
            source: row.source.clone(),
            id: row.external_id.clone(),
        });
        let draft = draft
            .validate()
            .map_err(|errors| errors.into_iter().map(RowError::from).collect::<Vec<_>>())?;
        let id = ListingId::derived(home, &row.source, &row.external_id);
        let owner = owner_in_home(&self.topology, &self.holdings, &id).ok_or_else(|| {
            vec![RowError {
                pointer: "/draft/home_region".to_owned(),
                detail: format!("region {} has no active node in this cluster", id.home()),
            }]
        })?;
        let valid = Valid {
            index,
            id,
            draft,
            row,
        };
        Ok((owner, valid))
    }

    async fn write(&self, rows: Vec<Valid>) -> Result<ImportSummary, ImportError> {
        let mut summary = ImportSummary::default();
        let mut batch = Vec::with_capacity(rows.len());
        // What is being fetched looks as if it were new.
        if rows.iter().any(|row| !self.replica.serves(row.id.shard())) {
            let cause = "this node has come to hold some of the listings and fetches them first";
            return Err(ImportError::Replica(format!("{cause}; repeat the import")));
        }
        for (position, valid) in rows.into_iter().enumerate() {
            match place_voters(&self.topology, &valid.id, valid.draft.survival()) {
                Ok(voters) => {
                    let genesis = Genesis {
                        listing: valid.id.clone(),
                        survival: valid.draft.survival(),
                        voters,
                        map_epoch: self.topology.epoch(),
                        created_by: self.node,
                    };
                    batch.push((valid.id, valid.draft, genesis));
                }
                Err(cause) => summary.rejected.push(RejectedRow {
                    index: position,
                    errors: vec![RowError {
                        pointer: "/draft/survival".to_owned(),
                        detail: cause.to_string(),
                    }],
                }),
            }
        }
        let written = self
            .replica
            .create_batch(batch)
            .await
            .map_err(|cause| ImportError::Replica(cause.to_string()))?;
        summary.created = written.created;
        summary.updated = written.updated;
        summary.unchanged = written.unchanged;
        Ok(summary)
    }

    async fn forward(&self, owner: NodeId, rows: Vec<Valid>) -> Result<ImportSummary, ImportError> {
        let failed = |cause: String| ImportError::Owner { owner, cause };
        let rows: Vec<&ImportRow> = rows.iter().map(|valid| &valid.row).collect();
        let request = ForwardedRows {
            rows: serde_json::to_vec(&rows).map_err(|cause| failed(cause.to_string()))?,
        };
        let reply = self
            .mesh
            .call(
                owner,
                Channel::Control,
                request.encode_to_vec().into(),
                FORWARD_DEADLINE,
            )
            .await
            .map_err(|cause| failed(cause.to_string()))?;
        let reply = ForwardedSummary::decode(reply).map_err(|cause| failed(cause.to_string()))?;
        if !reply.error.is_empty() {
            return Err(failed(reply.error));
        }
        serde_json::from_slice(&reply.summary).map_err(|cause| failed(cause.to_string()))
    }
}

impl ImportSummary {
    /// Adds the summary of some of the rows, whose positions were `indexes`.
    fn add(&mut self, part: Self, indexes: &[usize]) {
        self.created += part.created;
        self.updated += part.updated;
        self.unchanged += part.unchanged;
        self.rejected
            .extend(part.rejected.into_iter().map(|rejected| {
                RejectedRow {
                    index: indexes
                        .get(rejected.index)
                        .copied()
                        .unwrap_or(rejected.index),
                    errors: rejected.errors,
                }
            }));
    }
}

impl From<FieldError> for RowError {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: format!("/draft{}", error.pointer),
            detail: error.detail,
        }
    }
}
