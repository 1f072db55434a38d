//! `meridian.v1.Events` and `meridian.v1.Regions`.

use tonic::{Request, Response, Status};

use super::gateway::{Call, Gateway, parts, query};
use super::v1::{self, events_server::Events, regions_server::Regions};

#[tonic::async_trait]
impl Events for Gateway {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/events?{}", query(&asked)?));
        self.answer(call, (&metadata, &extensions)).await
    }
}

#[tonic::async_trait]
impl Regions for Gateway {
    async fn list_regions(
        &self,
        request: Request<v1::ListRegionsRequest>,
    ) -> Result<Response<v1::ListRegionsResponse>, Status> {
        let (metadata, extensions, _all) = parts(request);
        let call = Call::get("/v1/regions".to_owned());
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn nearest_regions(
        &self,
        request: Request<v1::NearestRegionsRequest>,
    ) -> Result<Response<v1::NearestRegionsResponse>, Status> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/regions/nearest?{}", query(&asked)?));
        self.answer(call, (&metadata, &extensions)).await
    }
}
