//! Calls to the operator API of one node.

mod goals;
mod layout;
mod moves;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

pub use self::goals::GoalChange;
use crate::answer::Answer;
use crate::wire::{Http, Reply, Request, Wire};
use crate::{CallError, Credential, FieldProblem, Trust};

/// Time for one call: an import makes thousands of listings durable.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client of the operator API.
#[derive(Debug, Clone)]
pub struct AdminClient {
    wire: Arc<dyn Wire>,
    url: String,
    credential: Option<Credential>,
}

/// What came of the rows of one request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportSummary {
    /// New listings.
    pub created: u64,
    /// Listings that differed from their rows.
    pub updated: u64,
    /// Listings that were as their rows say.
    pub unchanged: u64,
    /// Rows that are no listings.
    pub rejected: Vec<RejectedRow>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Position in the request, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub errors: Vec<FieldProblem>,
}

impl AdminClient {
    /// A client of the node whose operator API stands at `url`.
    ///
    /// # Errors
    /// None any more; whether it is there is found out by the first call.
    pub fn new(url: impl Into<String>) -> Result<Self, CallError> {
        Ok(Self {
            wire: Arc::new(Http::new(&Trust::machine())),
            url: url.into(),
            credential: None,
        })
    }

    /// The same, which proves to the node who calls.
    #[must_use]
    pub fn with_credential(mut self, credential: Option<Credential>) -> Self {
        self.credential = credential;
        self
    }

    /// The same, which believes these authorities.
    #[must_use]
    pub fn with_trust(mut self, trust: &Trust) -> Self {
        self.wire = Arc::new(Http::new(trust));
        self
    }

    /// The same towards another node: who asks stays the same.
    #[must_use]
    pub fn at(&self, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..self.clone()
        }
    }

    /// Whether the node is ready for clients.
    pub async fn is_ready(&self) -> bool {
        let answered = timeout(DEADLINE, self.ask(Method::GET, "/readyz", None)).await;
        answered.is_ok_and(|reply| reply.is_ok_and(|reply| reply.status.is_success()))
    }

    /// `GET /admin/v1/status`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn status(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/status").await
    }

    /// `GET /admin/v1/replication`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn replication(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/replication").await
    }

    /// `GET /admin/v1/replication/digests`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn digests(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/replication/digests").await
    }

    /// `GET /admin/v1/replication/digests/{shard}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn shard_digests(&self, shard: u64) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/replication/digests/{shard}"))
            .await
    }

    /// `POST /admin/v1/import`: rows as `{source, external_id, draft}`. May be
    /// repeated: it changes nothing the second time.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn import(&self, rows: &[Value]) -> Result<ImportSummary, CallError> {
        let body = json!({"rows": rows});
        let answer = self.post("/admin/v1/import", &body).await?;
        serde_json::from_value(answer).map_err(|cause| CallError::Decode(cause.to_string()))
    }

    /// `PUT /admin/v1/failpoints/{name}`: the `hits`-th time from now on that the node
    /// comes to this point, it kills itself; 0 disarms the point.
    ///
    /// # Errors
    /// [`CallError`]: the node was not started with `chaos.enabled`, or there is no such
    /// point.
    pub async fn arm_failpoint(&self, name: &str, hits: u32) -> Result<(), CallError> {
        let path = format!("/admin/v1/failpoints/{name}");
        let body = json!({"hits": hits});
        let armed = self.call(Method::PUT, &path, Some(&body));
        armed.await.map(drop)
    }

    /// `GET /admin/v1/chaos/clock`: what the node's wall clock shows, and how wrong that is.
    ///
    /// # Errors
    /// [`CallError`]: the node was not started with `chaos.enabled`.
    pub async fn clock(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/chaos/clock").await
    }

    /// `PUT /admin/v1/chaos/clock`: from now on, so many milliseconds ahead and so many
    /// millionths faster; less than 0 is behind, and slower.
    ///
    /// # Errors
    /// [`CallError`]: the node was not started with `chaos.enabled`, or that is too much.
    pub async fn set_clock(&self, offset_ms: i64, rate_ppm: i64) -> Result<Value, CallError> {
        let wrong = json!({"offset_ms": offset_ms, "rate_ppm": rate_ppm});
        let set = self.call(Method::PUT, "/admin/v1/chaos/clock", Some(&wrong));
        Ok(set.await?.body)
    }

    /// `DELETE /admin/v1/chaos/clock`: sets it right.
    ///
    /// # Errors
    /// [`CallError`]: the node was not started with `chaos.enabled`.
    pub async fn set_clock_right(&self) -> Result<Value, CallError> {
        let set = self.call(Method::DELETE, "/admin/v1/chaos/clock", None);
        Ok(set.await?.body)
    }

    /// `GET /admin/v1/groups/{id}`: how a listing's group stands on this node.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn group(&self, listing: &str) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/groups/{listing}")).await
    }

    /// `POST /admin/v1/groups/{id}/transfer`: has this node, if it leads a listing's group,
    /// hand over to another voter. Answers who leads in which term. May be repeated.
    ///
    /// # Errors
    /// [`CallError`]; `led-elsewhere` names the leader.
    pub async fn transfer(&self, listing: &str, to: u64) -> Result<Value, CallError> {
        let path = format!("/admin/v1/groups/{listing}/transfer");
        self.post(&path, &json!({"to": to})).await
    }

    /// `GET /admin/v1/groups/{id}/log`: entries of a listing's group that this node has
    /// applied and still has, from an index on.
    ///
    /// # Errors
    /// [`CallError`]; `not-found` where nothing is applied.
    pub async fn group_log(&self, listing: &str, from: u64) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/groups/{listing}/log?from={from}"))
            .await
    }

    /// `GET /admin/v1/groups/{id}/ledger`: a listing's ledger as this node has it.
    ///
    /// # Errors
    /// [`CallError`]; `not-found` where nothing is applied.
    pub async fn group_ledger(&self, listing: &str) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/groups/{listing}/ledger"))
            .await
    }

    /// `GET /admin/v1/nodes`: the nodes of the cluster, as this one's topology names them.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn nodes(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/nodes").await
    }

    /// `GET /admin/v1/repairs`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn repairs(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/repairs").await
    }

    /// `GET /admin/v1/backups`: how this node's part of the latest backup stands.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn backups(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/backups").await
    }

    /// `POST /admin/v1/backups`: has this node send its part of a backup.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn back_up(&self, backup: &str, to: &str) -> Result<Value, CallError> {
        let wish = json!({"backup": backup, "to": to});
        self.post("/admin/v1/backups", &wish).await
    }

    /// `POST /admin/v1/backups`: tells this node that a backup is complete. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn note_backup(&self, complete: &Value) -> Result<Value, CallError> {
        self.post("/admin/v1/backups", complete).await
    }

    /// `POST /admin/v1/repairs`: has this node compare its documents, or those of a shard,
    /// with those of every other node and fetch what it lacks. Answers the round. May be
    /// repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn repair(&self, shard: Option<u16>) -> Result<Value, CallError> {
        self.post("/admin/v1/repairs", &json!({"shard": shard}))
            .await
    }

    /// `GET /admin/v1/certificates`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn certificates(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/certificates").await
    }

    /// `POST /admin/v1/certificates/reload`: has the node look at its files now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn reload_certificates(&self) -> Result<Value, CallError> {
        let nothing = Value::Object(serde_json::Map::new());
        self.post("/admin/v1/certificates/reload", &nothing).await
    }

    /// `GET /admin/v1/regions`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn regions(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/regions").await
    }

    /// `GET /admin/v1/groups`: a page of groups, those that should stand elsewhere first.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn groups(&self, limit: usize, cursor: Option<&str>) -> Result<Value, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        self.get(&format!("/admin/v1/groups?limit={limit}{cursor}"))
            .await
    }

    /// `GET /admin/v1/listings/{id}/explain`: everything that is known of a listing, and why.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn explain(&self, listing: &str) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/listings/{listing}/explain"))
            .await
    }

    /// `GET /admin/v1/log-filter`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn log_filter(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/log-filter").await
    }

    /// `PUT /admin/v1/log-filter`: another filter, for so many seconds.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn change_log_filter(&self, filter: &str, seconds: u64) -> Result<Value, CallError> {
        let wish = json!({"filter": filter, "seconds": seconds});
        let changed = self.call(Method::PUT, "/admin/v1/log-filter", Some(&wish));
        Ok(changed.await?.body)
    }

    /// `DELETE /admin/v1/log-filter`: the configured filter is back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn put_log_filter_back(&self) -> Result<(), CallError> {
        self.delete("/admin/v1/log-filter").await
    }

    /// What a path answers, whatever it is, up to so many bytes; and whether that is all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn raw(&self, path: &str, bytes_max: usize) -> Result<(Vec<u8>, bool), CallError> {
        let asked = self.read_raw(path, bytes_max);
        timeout(DEADLINE, asked)
            .await
            .unwrap_or_else(|_late| Err(late()))
    }

    async fn read_raw(&self, path: &str, bytes_max: usize) -> Result<(Vec<u8>, bool), CallError> {
        let mut reply = self.ask(Method::GET, path, None).await?;
        if !reply.status.is_success() {
            return reply.read().await.map(|_answer| (Vec::new(), true));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.body.try_next().await.map_err(CallError::Unknown)? {
            let room = bytes_max - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return Ok((bytes, false));
            }
        }
        Ok((bytes, true))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        Ok(self.call(Method::POST, path, Some(body)).await?.body)
    }

    async fn delete(&self, path: &str) -> Result<(), CallError> {
        self.call(Method::DELETE, path, None).await.map(drop)
    }

    async fn get(&self, path: &str) -> Result<Value, CallError> {
        Ok(self.call(Method::GET, path, None).await?.body)
    }

    /// A call and its whole answer, in bounded time.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        let answered = async { self.ask(method, path, body).await?.read().await };
        timeout(DEADLINE, answered)
            .await
            .unwrap_or_else(|_late| Err(late()))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, CallError> {
        let mut headers = HeaderMap::new();
        if let Some(credential) = &self.credential {
            headers.insert(AUTHORIZATION, credential.header());
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = Request {
            method,
            url: format!("{}{path}", self.url),
            headers,
            body: body.map(|body| Bytes::from(body.to_string())),
        };
        Ok(self.wire.exchange(request).await?)
    }
}

fn late() -> CallError {
    CallError::Unknown("no answer in time".to_owned())
}
