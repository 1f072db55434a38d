//! How a listing stands on another node: asked of that very node, for an operator.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use meridian_regions::{ListingId, NodeId};
use meridian_replication::Burial;
use meridian_transport::{Channel, FRAME_BYTES_MAX};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::wire::Answered;
use super::{Asked, Relay};
use crate::api::Id;
use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// Time for one node's answer: the longest round trip, a read from disk, and once more.
const DEADLINE: Duration = Duration::from_secs(2);

/// How a listing stands on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Whether the node holds and serves it.
    pub(crate) serves: bool,
    /// Stands for the document's heads: equal where the same is known. `None` where nothing
    /// is known of it.
    pub(crate) heads: Option<String>,
    pub(crate) deleted: bool,
    /// What becomes of it there, if it was deleted. A node of an earlier release does not say.
    #[serde(default)]
    pub(crate) burial: Option<BurialStanding>,
    /// Its group there; `None` if it has never been used.
    pub(crate) group: Option<GroupStanding>,
}

/// What becomes of a deleted listing, as that node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BurialStanding {
    /// `buried`, `disputed`, `off`, `level`, `spread`, `not-back`, `elsewhere`, `lacking`,
    /// `fetching` or `due`.
    pub(crate) state: String,
    /// Who has it buried, where another node does.
    pub(crate) kept_by: Option<NodeId>,
    /// Who has not said that it has had the deletion.
    pub(crate) behind: Vec<NodeId>,
    /// Who has said nothing since that node started.
    pub(crate) unheard: Vec<NodeId>,
}

impl From<Burial> for BurialStanding {
    fn from(burial: Burial) -> Self {
        let (mut kept_by, mut lacking) = (None, (Vec::new(), Vec::new()));
        let state = match burial {
            Burial::Buried => "buried",
            Burial::Disputed => "disputed",
            Burial::Off => "off",
            Burial::NotOfThisLevel => "level",
            Burial::Spread => "spread",
            Burial::NotBack => "not-back",
            Burial::KeptBy(node) => {
                kept_by = Some(node);
                "elsewhere"
            }
            Burial::Lacking { behind, unheard } => {
                lacking = (behind, unheard);
                "lacking"
            }
            Burial::Fetching => "fetching",
            Burial::Due => "due",
        };
        let (behind, unheard) = lacking;
        Self {
            state: state.to_owned(),
            kept_by,
            behind,
            unheard,
        }
    }
}

/// How its group stands on that node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupStanding {
    pub(crate) role: String,
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    pub(crate) last_log_index: Option<u64>,
    pub(crate) applied_index: Option<u64>,
    pub(crate) voters: Vec<NodeId>,
}

/// What nodes ask of each other.
pub(super) fn routes(node: Arc<Node>) -> Router {
    Router::new()
        .route("/mesh/v1/listings/{id}/standing", get(standing))
        .with_state(node)
}

async fn standing(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Json<Standing>, Problem> {
    of_this(&node, &id).await.map(Json)
}

/// How a listing stands on this node. Wakes nothing.
///
/// # Errors
/// [`Problem`] if the disk fails or lies.
pub(crate) async fn of_this(node: &Node, id: &ListingId) -> Result<Standing, Problem> {
    let failed = |cause: String| Problem::new(Slug::Internal, cause);
    let read = node.replica.read(id).await;
    let read = read.map_err(|cause| failed(cause.to_string()))?;
    let burial = node.replica.burial(id);
    let burial = burial.map_err(|cause| failed(cause.to_string()))?;
    let group = node.groups.describe(id).await;
    let group = group.map_err(|cause| failed(cause.to_string()))?;
    Ok(Standing {
        serves: node.replica.serves(id.shard()),
        deleted: read.as_ref().is_some_and(|read| read.deleted()),
        burial: burial.map(BurialStanding::from),
        heads: read.map(|read| read.etag().trim_matches('"').to_owned()),
        group: group.map(|group| GroupStanding {
            role: group.role.to_owned(),
            term: group.term,
            leader: group.leader,
            last_log_index: group.last_log_index,
            applied_index: group.applied_index,
            voters: group.voters,
        }),
    })
}

impl Relay {
    /// How a listing stands on another node; else why that is not known.
    pub(crate) async fn standing(&self, node: NodeId, id: &ListingId) -> Result<Standing, String> {
        let mut asked = Asked::get(format!("/mesh/v1/listings/{id}/standing"));
        asked.give(DEADLINE);
        let request = asked.encode_to_vec().into();
        let answer = self.mesh.call(node, Channel::Requests, request, DEADLINE);
        let answer = answer.await.map_err(|cause| cause.to_string())?;
        let response = Answered::read(answer).ok_or("its answer cannot be read")?;
        if !response.status().is_success() {
            return Err(format!("it answered with {}", response.status()));
        }
        let body = to_bytes(response.into_body(), FRAME_BYTES_MAX).await;
        let body = body.map_err(|cause| cause.to_string())?;
        serde_json::from_slice(&body).map_err(|cause| cause.to_string())
    }
}
