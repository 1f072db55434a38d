//! Calls to the client API.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::builder::ClientBuilder;
use crate::call::Call;
use crate::course::Repeat;
use crate::hedge::Hedging;
use crate::options::ClientOptions;
use crate::roster::{Ranking, Roster};
use crate::tend::Probes;
use crate::wire::{Http, Wire};
use crate::{CallError, Session};

/// A client of one cluster. Cheap to clone; clones share connections, what is known of
/// the endpoints, and the session, unless they take another one ([`Client::with_session`]).
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) probes: Arc<Probes>,
    pub(crate) session: Session,
}

/// What clones of a client share, and its probes see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) options: ClientOptions,
    pub(crate) ranking: Ranking,
    roster: Mutex<Roster>,
    hedging: Mutex<Hedging>,
}

impl Shared {
    /// What is known of the endpoints. Never held while something is awaited.
    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How slow reads are. Never held while something is awaited.
    pub(crate) fn hedging(&self) -> MutexGuard<'_, Hedging> {
        self.hedging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stay that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStay {
    /// Day of arrival, `YYYY-MM-DD`.
    pub check_in: String,
    /// Day of departure, `YYYY-MM-DD`.
    pub check_out: String,
    /// How many come.
    pub guests: u32,
}

impl Client {
    /// A client that finds the cluster's regions from a few seeds, and uses the nearest.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A client of exactly these endpoints, with a session of its own.
    ///
    /// # Errors
    /// None any more; whether endpoints are there is found out by the first call.
    pub fn new(options: ClientOptions) -> Result<Self, CallError> {
        let http = Http::new(&options.trust);
        let (session, ranking) = (Session::new(), Ranking::AsGiven);
        Ok(Self::assemble(options, session, Arc::new(http), ranking))
    }

    /// The same client, which goes on with another session: one of its own for each user, as
    /// [`Session::new`], or that of a client of another region. It costs nothing: connections,
    /// what is known of the endpoints, and the probes of them are shared as clones share them.
    #[must_use]
    pub fn with_session(&self, session: Session) -> Self {
        Self {
            session,
            ..self.clone()
        }
    }

    pub(crate) fn assemble(
        options: ClientOptions,
        session: Session,
        wire: Arc<dyn Wire>,
        ranking: Ranking,
    ) -> Self {
        let roster = Mutex::new(Roster::new(&options.endpoints, ranking));
        Self {
            shared: Arc::new(Shared {
                wire,
                options,
                ranking,
                roster,
                hedging: Mutex::default(),
            }),
            probes: Arc::default(),
            session,
        }
    }

    /// The session, to be shared with another client ([`Client::with_session`]).
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// `POST /v1/listings`. Not repeated when its answer is lost: it would make two.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_listing(&self, draft: Value) -> Result<Answer, CallError> {
        self.send(Call::new(Method::POST, "/v1/listings").body(draft))
            .await
    }

    /// `GET /v1/listings/{id}` within the session.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listing(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::get(format!("/v1/listings/{id}")).hedged())
            .await
    }

    /// `GET /v1/listings/{id}` at a level of consistency.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listing_at(&self, id: &str, consistency: &str) -> Result<Answer, CallError> {
        let mut call = Call::get(format!("/v1/listings/{id}"));
        if consistency != "linearizable" {
            call = call.hedged();
        }
        call.consistency = Some(consistency);
        self.send(call).await
    }

    /// `PATCH /v1/listings/{id}`. With `if_match`, refused on a changed document. Not
    /// repeated when its answer is lost: it would undo what somebody else has written
    /// since. Read the listing to learn whether it was done.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn patch_listing(
        &self,
        id: &str,
        patch: Value,
        if_match: Option<&str>,
    ) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::PATCH, format!("/v1/listings/{id}")).body(patch);
        call.if_match = if_match;
        self.send(call).await
    }

    /// `POST /v1/listings/{id}/edits`. Not repeated when its answer is lost: an
    /// increment would count twice.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn edit_listing(&self, id: &str, ops: Value) -> Result<Answer, CallError> {
        let call = Call::new(Method::POST, format!("/v1/listings/{id}/edits"));
        self.send(call.body(json!({"ops": ops}))).await
    }

    /// `GET /v1/listings/{id}/conflicts`. The entity tag of the answer stands for what it
    /// shows.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn conflicts(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::get(format!("/v1/listings/{id}/conflicts")))
            .await
    }

    /// `POST /v1/listings/{id}/conflicts`: chooses the value of a field that was written by
    /// the change `hash`, among those that were shown under the entity tag `seen`. The same
    /// choice twice is made once, so that it is repeated.
    ///
    /// # Errors
    /// [`CallError`]; `precondition-failed` if other values stand by now.
    pub async fn resolve_conflict(
        &self,
        id: &str,
        field: &str,
        hash: &str,
        seen: &str,
    ) -> Result<Answer, CallError> {
        let body = json!({"field": field, "choose": hash});
        let path = format!("/v1/listings/{id}/conflicts");
        let mut call = Call::new(Method::POST, path).body(body);
        call.if_match = Some(seen);
        call.repeat = Repeat::Idempotent;
        self.send(call).await
    }

    /// `DELETE /v1/listings/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_listing(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::new(Method::DELETE, format!("/v1/listings/{id}")))
            .await
    }

    /// `GET /v1/listings/{id}/availability`, through the listing's group.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn fresh_availability(
        &self,
        id: &str,
        from: &str,
        to: &str,
    ) -> Result<Answer, CallError> {
        let path = format!("/v1/listings/{id}/availability?from={from}&to={to}&fresh=true");
        self.send(Call::get(path)).await
    }

    /// `POST /v1/listings/{id}/holds`. Every attempt carries `key`: see
    /// [`crate::IdempotencyKey`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn hold(&self, id: &str, stay: &NewStay, key: &str) -> Result<Answer, CallError> {
        let body = json!({
            "check_in": stay.check_in,
            "check_out": stay.check_out,
            "guests": stay.guests,
        });
        let call = Call::new(Method::POST, format!("/v1/listings/{id}/holds"));
        self.send(call.body(body).key(key)).await
    }

    /// `POST /v1/bookings` for a hold. Every attempt carries `key`: see
    /// [`crate::IdempotencyKey`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn confirm(
        &self,
        hold_id: &str,
        payment_method: &str,
        key: &str,
    ) -> Result<Answer, CallError> {
        let body = json!({"hold_id": hold_id, "payment_method": payment_method});
        self.send(Call::new(Method::POST, "/v1/bookings").body(body).key(key))
            .await
    }

    /// `POST /v1/bookings` for a stay, hold and payment in one. Every attempt carries `key`: see
    /// [`crate::IdempotencyKey`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn book(
        &self,
        id: &str,
        stay: &NewStay,
        payment_method: &str,
        key: &str,
    ) -> Result<Answer, CallError> {
        let body = json!({
            "listing_id": id,
            "check_in": stay.check_in,
            "check_out": stay.check_out,
            "guests": stay.guests,
            "payment_method": payment_method,
        });
        self.send(Call::new(Method::POST, "/v1/bookings").body(body).key(key))
            .await
    }

    /// `GET /v1/bookings/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn booking(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::get(format!("/v1/bookings/{id}"))).await
    }

    /// `GET /v1/listings/{id}/bookings`, one page.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn bookings_of(&self, id: &str, cursor: Option<&str>) -> Result<Answer, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/listings/{id}/bookings?limit=100{cursor}");
        self.send(Call::get(path)).await
    }

    /// `POST /v1/bookings/{id}/cancel`. Every attempt carries `key`: see
    /// [`crate::IdempotencyKey`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn cancel(&self, id: &str, key: &str) -> Result<Answer, CallError> {
        let call = Call::new(Method::POST, format!("/v1/bookings/{id}/cancel"));
        self.send(call.key(key)).await
    }

    /// `DELETE /v1/holds/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn release(&self, id: &str) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::DELETE, format!("/v1/holds/{id}"));
        call.repeat = Repeat::Idempotent;
        self.send(call).await
    }

    /// `GET /v1/regions`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn regions(&self) -> Result<Answer, CallError> {
        self.send(Call::get("/v1/regions")).await
    }

    /// `GET /v1/regions/nearest`: regions with their endpoints, nearest to a place (degrees
    /// north and east) first. Without one, the node that is asked goes by the caller's
    /// address or by what it measures; the body's `basis` says which.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn nearest(&self, place: Option<(f64, f64)>) -> Result<Answer, CallError> {
        let place = place.map_or_else(String::new, |(lat, lon)| format!("?lat={lat}&lon={lon}"));
        self.send(Call::get(format!("/v1/regions/nearest{place}")))
            .await
    }
}
