//! `meridian.v1.Guests`.

use axum::http::Method;
use serde_json::json;
use tonic::{Request, Response, Status};

use super::gateway::{Call, Gateway, parts, query};
use super::v1::{self, guests_server::Guests};

type Answer<Message> = Result<Response<Message>, Status>;

#[tonic::async_trait]
impl Guests for Gateway {
    async fn get_preferences(
        &self,
        request: Request<v1::GetPreferencesRequest>,
    ) -> Answer<v1::Preferences> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(path(&asked.guest_id, "preferences")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn set_preferences(
        &self,
        request: Request<v1::SetPreferencesRequest>,
    ) -> Answer<v1::Preferences> {
        let (metadata, extensions, asked) = parts(request);
        let target = path(&asked.guest_id, "preferences")?;
        let stated = asked.preferences.unwrap_or_default();
        let call = Call::with(Method::PUT, target, &stated)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn list_matches(
        &self,
        request: Request<v1::ListMatchesRequest>,
    ) -> Answer<v1::ListMatchesResponse> {
        let (metadata, extensions, asked) = parts(request);
        let page = query(&json!({"cursor": asked.cursor, "limit": asked.limit}))?;
        let target = path(&asked.guest_id, "matches")?;
        let call = Call::get(format!("{target}?{page}"));
        self.answer(call, (&metadata, &extensions)).await
    }
}

/// What is a guest's. An id of an issuer may have a bar or an at in it: all is escaped but what
/// never means anything in a path.
fn path(guest: &str, what: &str) -> Result<String, Status> {
    if guest.is_empty() {
        return Err(Status::invalid_argument("validation: an id that is none"));
    }
    let mut path = "/v1/guests/".to_owned();
    for byte in guest.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(format!("{path}/{what}"))
}
