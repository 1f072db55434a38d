//! `meridian.v1.Webhooks`.

use serde_json::json;
use tonic::{Request, Response, Status};

use super::gateway::{Call, Gateway, parts, segment};
use super::v1::{self, webhooks_server::Webhooks};

type Answer<Message> = Result<Response<Message>, Status>;

/// All of them.
const ALL: &str = "/v1/webhook-endpoints";

#[tonic::async_trait]
impl Webhooks for Gateway {
    async fn create_endpoint(
        &self,
        request: Request<v1::CreateEndpointRequest>,
    ) -> Answer<v1::WebhookEndpoint> {
        let (metadata, extensions, draft) = parts(request);
        let call = Call::post(ALL.to_owned(), &draft)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn list_endpoints(
        &self,
        request: Request<v1::ListEndpointsRequest>,
    ) -> Answer<v1::ListEndpointsResponse> {
        let (metadata, extensions, _all) = parts(request);
        let call = Call::get(ALL.to_owned());
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_endpoint(
        &self,
        request: Request<v1::GetEndpointRequest>,
    ) -> Answer<v1::WebhookEndpoint> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(path(&asked.endpoint_id, "")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn change_endpoint(
        &self,
        request: Request<v1::ChangeEndpointRequest>,
    ) -> Answer<v1::WebhookEndpoint> {
        let (metadata, extensions, asked) = parts(request);
        let mut patch = serde_json::Map::new();
        if let Some(url) = asked.url {
            patch.insert("url".to_owned(), url.into());
        }
        if let Some(types) = asked.types {
            patch.insert("types".to_owned(), types.names.into());
        }
        if let Some(enabled) = asked.enabled {
            patch.insert("enabled".to_owned(), enabled.into());
        }
        let call = Call::patch(path(&asked.endpoint_id, "")?, patch.into());
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn delete_endpoint(
        &self,
        request: Request<v1::DeleteEndpointRequest>,
    ) -> Answer<v1::Nothing> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::delete(path(&asked.endpoint_id, "")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn test_endpoint(
        &self,
        request: Request<v1::TestEndpointRequest>,
    ) -> Answer<v1::TestEndpointResponse> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::post(path(&asked.endpoint_id, "/test")?, &json!({}))?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn replay_events(
        &self,
        request: Request<v1::ReplayEventsRequest>,
    ) -> Answer<v1::ReplayEventsResponse> {
        let (metadata, extensions, asked) = parts(request);
        let again = json!({"from": asked.from, "cursor": asked.cursor});
        let call = Call::post(path(&asked.endpoint_id, "/replay")?, &again)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListDeliveriesRequest>,
    ) -> Answer<v1::ListDeliveriesResponse> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(path(&asked.endpoint_id, "/deliveries")?);
        self.answer(call, (&metadata, &extensions)).await
    }
}

fn path(id: &str, rest: &str) -> Result<String, Status> {
    Ok(format!("{ALL}/{}{rest}", segment(id)?))
}
