//! What other nodes send is read or refused.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use meridian_fuzz::{fuzz, reads};
use prost::Message;

use super::founders::Page;
use super::wire::{Answered, Asked};

#[test]
fn relayed_request() {
    let request = Request::get("/v1/listings/x?a=b").header("if-match", "\"1\"");
    let (parts, _) = request.body(Body::empty()).expect("a request").into_parts();
    let example = Asked::of(&parts, Bytes::from_static(b"{}"), 7).encode_to_vec();
    fuzz("relayed-request", &[example], |input| {
        let request = Asked::decode(input).map(Asked::into_request);
        match request {
            Ok(Some(request)) => request.method().to_string(),
            Ok(None) => "no request".to_owned(),
            Err(cause) => cause.to_string(),
        }
    });
}

#[test]
fn relayed_answer() {
    let headers =
        HeaderMap::from_iter([(axum::http::header::ETAG, "\"1\"".parse().expect("a value"))]);
    let example = Answered::head(StatusCode::OK, &headers).with("{}".into());
    fuzz(
        "relayed-answer",
        &[example.encode_to_vec()],
        |input| match Answered::read(Bytes::copy_from_slice(input)) {
            Some(response) => response.status().to_string(),
            None => "no answer".to_owned(),
        },
    );
}

#[test]
fn founders_page() {
    let page = Page {
        records: vec![vec![1, 2], vec![3]],
        next: "lst_1".to_owned(),
    };
    let decode = |input: &[u8]| Page::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("founders-page", &[page.encode_to_vec()], target);
}
