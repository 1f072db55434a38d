//! `meridian.v1.Bookings`.

use serde_json::json;
use tonic::{Request, Response, Status};

use super::gateway::{Call, Gateway, parts, query, segment};
use super::v1::{self, bookings_server::Bookings};

type Answer<Message> = Result<Response<Message>, Status>;

#[tonic::async_trait]
impl Bookings for Gateway {
    async fn get_availability(
        &self,
        request: Request<v1::GetAvailabilityRequest>,
    ) -> Answer<v1::Availability> {
        let (metadata, extensions, asked) = parts(request);
        let span = json!({"from": asked.from, "to": asked.to, "fresh": asked.fresh});
        let span = query(&span)?;
        let id = segment(&asked.listing_id)?;
        let call = Call::get(format!("/v1/listings/{id}/availability?{span}"));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Answer<v1::HoldResponse> {
        let (metadata, extensions, asked) = parts(request);
        let target = format!("/v1/listings/{}/holds", segment(&asked.listing_id)?);
        let wish = json!({
            "check_in": asked.check_in,
            "check_out": asked.check_out,
            "guests": asked.guests,
            "ttl_seconds": asked.ttl_seconds,
            "quote": asked.quote,
        });
        self.answer(Call::post(target, &wish)?, (&metadata, &extensions))
            .await
    }

    async fn release_hold(&self, request: Request<v1::ReleaseHoldRequest>) -> Answer<v1::Nothing> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::delete(format!("/v1/holds/{}", segment(&asked.hold_id)?));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn book(&self, request: Request<v1::BookRequest>) -> Answer<v1::Booking> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::post("/v1/bookings".to_owned(), &asked)?;
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_booking(&self, request: Request<v1::GetBookingRequest>) -> Answer<v1::Booking> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/bookings/{}", segment(&asked.booking_id)?));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn cancel_booking(
        &self,
        request: Request<v1::CancelBookingRequest>,
    ) -> Answer<v1::CancelBookingResponse> {
        let (metadata, extensions, asked) = parts(request);
        let target = format!("/v1/bookings/{}/cancel", segment(&asked.booking_id)?);
        self.answer(Call::post(target, &json!({}))?, (&metadata, &extensions))
            .await
    }

    async fn list_bookings(
        &self,
        request: Request<v1::ListBookingsRequest>,
    ) -> Answer<v1::ListBookingsResponse> {
        let (metadata, extensions, asked) = parts(request);
        let page = query(&json!({"cursor": asked.cursor, "limit": asked.limit}))?;
        let id = segment(&asked.listing_id)?;
        let call = Call::get(format!("/v1/listings/{id}/bookings?{page}"));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn list_my_bookings(
        &self,
        request: Request<v1::ListMyBookingsRequest>,
    ) -> Answer<v1::ListMyBookingsResponse> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/me/bookings?{}", query(&asked)?));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn block(&self, request: Request<v1::BlockRequest>) -> Answer<v1::BlockResponse> {
        let (metadata, extensions, asked) = parts(request);
        let target = format!("/v1/listings/{}/blocks", segment(&asked.listing_id)?);
        let closed = json!({"from": asked.from, "until": asked.until});
        self.answer(Call::post(target, &closed)?, (&metadata, &extensions))
            .await
    }

    async fn unblock(&self, request: Request<v1::UnblockRequest>) -> Answer<v1::Nothing> {
        let (metadata, extensions, asked) = parts(request);
        let (id, block) = (segment(&asked.listing_id)?, segment(&asked.block_id)?);
        let call = Call::delete(format!("/v1/listings/{id}/blocks/{block}"));
        self.answer(call, (&metadata, &extensions)).await
    }

    async fn get_outcome(
        &self,
        request: Request<v1::GetOutcomeRequest>,
    ) -> Answer<v1::RequestOutcome> {
        let (metadata, extensions, asked) = parts(request);
        let call = Call::get(format!("/v1/outcomes/{}", segment(&asked.key)?));
        self.answer(call, (&metadata, &extensions)).await
    }
}
