//! `meridian.v1.Listings`.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use serde_json::json;
use tonic::{Request, Response, Status};

use super::gateway::{Call, Gateway, parts, query, segment, told};
use super::v1::{self, listings_server::Listings};

/// Longest event of a stream: a whole listing.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

type Answer<Message> = Result<Response<Message>, Status>;

#[tonic::async_trait]
impl Listings for Gateway {
    async fn create_listing(&self, request: Request<v1::ListingDraft>) -> Answer<v1::Listing> {
        let (metadata, extensions, draft) = parts(request);
        let call = Call::post("/v1/listings".to_owned(), &draft)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_listing(&self, request: Request<v1::GetListingRequest>) -> Answer<v1::Listing> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(path(&asked.listing_id, "")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn patch_listing(
        &self,
        request: Request<v1::PatchListingRequest>,
    ) -> Answer<v1::Listing> {
        let (metadata, extensions, asked) = parts(request);
        let patch = serde_json::from_str(&asked.merge_patch);
        let patch = patch.map_err(|cause| {
            Status::invalid_argument(format!("validation: merge_patch is no JSON: {cause}"))
        })?;
        let call = Call::patch(path(&asked.listing_id, "")?, patch);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn edit_listing(&self, request: Request<v1::EditListingRequest>) -> Answer<v1::Listing> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::post(
            path(&asked.listing_id, "/edits")?,
            &json!({"ops": asked.ops}),
        )?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn delete_listing(
        &self,
        request: Request<v1::DeleteListingRequest>,
    ) -> Answer<v1::Nothing> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::delete(path(&asked.listing_id, "")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn search_listings(
        &self,
        request: Request<v1::SearchListingsRequest>,
    ) -> Answer<v1::SearchListingsResponse> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/listings?{}", query(&asked)?));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_history(&self, request: Request<v1::GetHistoryRequest>) -> Answer<v1::History> {
        let (metadata, extensions, mut asked) = parts(request);
        let id = std::mem::take(&mut asked.listing_id);
        let page = query(&json!({"cursor": asked.cursor, "limit": asked.limit}))?;
        let call = Call::get(path(&id, &format!("/history?{page}"))?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_conflicts(
        &self,
        request: Request<v1::GetConflictsRequest>,
    ) -> Answer<v1::Conflicts> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(path(&asked.listing_id, "/conflicts")?);
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn resolve_conflict(
        &self,
        request: Request<v1::ResolveConflictRequest>,
    ) -> Answer<v1::Conflicts> {
        let (metadata, extensions, asked) = parts(request);
        let chosen = json!({"field": asked.field, "choose": asked.choose});
        let call = Call::post(path(&asked.listing_id, "/conflicts")?, &chosen)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    type WatchListingStream = Pin<Box<dyn Stream<Item = Result<v1::ListingEvent, Status>> + Send>>;

    async fn watch_listing(
        &self,
        request: Request<v1::WatchListingRequest>,
    ) -> Answer<Self::WatchListingStream> {
        let (mut metadata, extensions, asked) = parts(request);
        let seen = asked.last_event_id.and_then(|id| id.parse().ok());
        if let Some(seen) = seen {
            metadata.insert("last-event-id", seen);
        }
        let call = Call::get(path(&asked.listing_id, "/watch")?);
        let (headers, body) = self.ask(call, &metadata, &extensions).await?;
        let pieces = body.into_data_stream();
        let events =
            futures::stream::unfold((pieces, Vec::new()), |(mut pieces, mut text)| async {
                loop {
                    if let Some(event) = take_event(&mut text) {
                        return Some((Ok(event), (pieces, text)));
                    }
                    match pieces.next().await? {
                        Ok(piece) if text.len() + piece.len() <= EVENT_BYTES_MAX => {
                            text.extend_from_slice(&piece);
                        }
                        _ => {
                            let lost = Status::unavailable("the stream broke: watch again");
                            return Some((Err(lost), (pieces, text)));
                        }
                    }
                }
            });
        let events: Self::WatchListingStream = Box::pin(events);
        Ok(told(events, &headers))
    }
}

fn path(id: &str, rest: &str) -> Result<String, Status> {
    Ok(format!("/v1/listings/{}{rest}", segment(id)?))
}

/// The next whole event of a stream of server-sent events; comments are passed over.
pub(super) fn take_event(text: &mut Vec<u8>) -> Option<v1::ListingEvent> {
    loop {
        let end = text.windows(2).position(|pair| pair == b"\n\n")?;
        let block: Vec<u8> = text.drain(..end + 2).collect();
        let block = String::from_utf8_lossy(&block);
        let mut event = v1::ListingEvent::default();
        let mut data: Vec<&str> = Vec::new();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => value.clone_into(&mut event.id),
                "event" => value.clone_into(&mut event.r#type),
                "data" => data.push(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            event.data = data.join("\n");
            return Some(event);
        }
    }
}
