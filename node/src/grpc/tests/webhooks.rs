//! Endpoints over gRPC: made, changed, tried and forgotten.

use std::sync::Arc;

use tonic::Code;

use crate::api;
use crate::grpc::v1::webhooks_client::WebhooksClient;
use crate::grpc::{self, v1};
use crate::solo::Solo;

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_is_made_changed_tried_replayed_and_forgotten() {
    let solo = Solo::start_with(|config| config.events.allow_private_targets = true);
    let routes = grpc::beside(api::router(Arc::clone(&solo.node))).await;
    let mut webhooks = WebhooksClient::new(routes);
    let draft = v1::CreateEndpointRequest {
        // Nobody listens there.
        url: "http://127.0.0.1:9/hook".to_owned(),
        types: vec!["booking.confirmed".to_owned()],
        ..v1::CreateEndpointRequest::default()
    };
    let made = webhooks.create_endpoint(draft).await.expect("made");
    let made = made.into_inner();
    assert!(made.secret.is_some() && made.enabled);
    let id = made.id.clone();
    let all = webhooks.list_endpoints(v1::ListEndpointsRequest {}).await;
    let all = all.expect("listed").into_inner().data;
    assert_eq!((all.len(), all[0].id.as_str()), (1, id.as_str()));
    assert_eq!(all[0].secret, None);

    let off = v1::ChangeEndpointRequest {
        endpoint_id: id.clone(),
        enabled: Some(false),
        ..v1::ChangeEndpointRequest::default()
    };
    let off = webhooks.change_endpoint(off).await.expect("changed");
    let off = off.into_inner();
    assert_eq!(
        (off.enabled, off.types),
        (false, vec!["booking.confirmed".to_owned()])
    );
    let every = v1::ChangeEndpointRequest {
        endpoint_id: id.clone(),
        types: Some(v1::EventTypes::default()),
        ..v1::ChangeEndpointRequest::default()
    };
    let every = webhooks.change_endpoint(every).await.expect("changed");
    assert!(every.into_inner().types.is_empty(), "all types");

    let tried = v1::TestEndpointRequest {
        endpoint_id: id.clone(),
    };
    let tried = webhooks.test_endpoint(tried).await.expect("tried");
    let tried = tried.into_inner();
    assert!(!tried.delivered && tried.error.is_some(), "{tried:?}");
    let again = |from: &str| v1::ReplayEventsRequest {
        endpoint_id: id.clone(),
        from: from.to_owned(),
        cursor: None,
    };
    let replayed = webhooks.replay_events(again("oldest")).await;
    assert!(replayed.expect("accepted").into_inner().replay > 0);
    let refused = webhooks.replay_events(again("cursor")).await;
    assert_eq!(refused.expect_err("none").code(), Code::InvalidArgument);
    let deliveries = v1::ListDeliveriesRequest {
        endpoint_id: id.clone(),
    };
    let deliveries = webhooks.list_deliveries(deliveries).await;
    assert!(deliveries.expect("told").into_inner().data.is_empty());

    let gone = v1::DeleteEndpointRequest {
        endpoint_id: id.clone(),
    };
    webhooks.delete_endpoint(gone).await.expect("forgotten");
    let wanted = v1::GetEndpointRequest { endpoint_id: id };
    let gone = webhooks.get_endpoint(wanted).await.expect_err("gone");
    assert_eq!(gone.code(), Code::NotFound);
    drop(webhooks);
    solo.stop().await;
}
