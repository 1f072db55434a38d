//! The same operations: whatever REST has for clients, gRPC has too.

use std::collections::BTreeSet;

/// Every operation of REST, and its call.
const CALLS: [(&str, &str); 38] = [
    ("GET /v1/listings", "Listings.SearchListings"),
    ("POST /v1/listings", "Listings.CreateListing"),
    ("GET /v1/listings/{id}", "Listings.GetListing"),
    ("PATCH /v1/listings/{id}", "Listings.PatchListing"),
    ("DELETE /v1/listings/{id}", "Listings.DeleteListing"),
    ("POST /v1/listings/{id}/edits", "Listings.EditListing"),
    ("GET /v1/listings/{id}/conflicts", "Listings.GetConflicts"),
    (
        "POST /v1/listings/{id}/conflicts",
        "Listings.ResolveConflict",
    ),
    ("GET /v1/listings/{id}/history", "Listings.GetHistory"),
    ("GET /v1/listings/{id}/watch", "Listings.WatchListing"),
    (
        "GET /v1/listings/{id}/availability",
        "Bookings.GetAvailability",
    ),
    ("POST /v1/listings/{id}/holds", "Bookings.Hold"),
    ("POST /v1/listings/{id}/blocks", "Bookings.Block"),
    (
        "DELETE /v1/listings/{id}/blocks/{block}",
        "Bookings.Unblock",
    ),
    ("GET /v1/listings/{id}/bookings", "Bookings.ListBookings"),
    ("DELETE /v1/holds/{id}", "Bookings.ReleaseHold"),
    ("POST /v1/bookings", "Bookings.Book"),
    ("GET /v1/bookings/{id}", "Bookings.GetBooking"),
    ("POST /v1/bookings/{id}/cancel", "Bookings.CancelBooking"),
    ("GET /v1/me/bookings", "Bookings.ListMyBookings"),
    ("GET /v1/outcomes/{key}", "Bookings.GetOutcome"),
    ("GET /v1/events", "Events.ListEvents"),
    ("GET /v1/guests/{id}/preferences", "Guests.GetPreferences"),
    ("PUT /v1/guests/{id}/preferences", "Guests.SetPreferences"),
    ("GET /v1/guests/{id}/matches", "Guests.ListMatches"),
    ("GET /v1/regions", "Regions.ListRegions"),
    ("GET /v1/regions/nearest", "Regions.NearestRegions"),
    ("GET /v1/webhook-endpoints", "Webhooks.ListEndpoints"),
    ("POST /v1/webhook-endpoints", "Webhooks.CreateEndpoint"),
    ("GET /v1/webhook-endpoints/{id}", "Webhooks.GetEndpoint"),
    (
        "PATCH /v1/webhook-endpoints/{id}",
        "Webhooks.ChangeEndpoint",
    ),
    (
        "DELETE /v1/webhook-endpoints/{id}",
        "Webhooks.DeleteEndpoint",
    ),
    (
        "POST /v1/webhook-endpoints/{id}/test",
        "Webhooks.TestEndpoint",
    ),
    (
        "POST /v1/webhook-endpoints/{id}/replay",
        "Webhooks.ReplayEvents",
    ),
    (
        "GET /v1/webhook-endpoints/{id}/deliveries",
        "Webhooks.ListDeliveries",
    ),
    // Of the description, which over gRPC is reflection.
    ("GET /openapi.json", "ServerReflection"),
    ("GET /docs", "ServerReflection"),
    ("GET /docs/style.css", "ServerReflection"),
];

/// Every call of the contract, with its service.
fn contract() -> BTreeSet<String> {
    let mut service = "";
    let mut calls = BTreeSet::new();
    for line in include_str!("../../../proto/meridian/v1/meridian.proto").lines() {
        let mut words = line.split([' ', '(']).filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some("service"), Some(name)) => service = name,
            (Some("rpc"), Some(name)) => {
                calls.insert(format!("{service}.{name}"));
            }
            _ => {}
        }
    }
    calls
}

#[test]
fn every_operation_of_rest_is_a_call_and_every_call_is_one_of_rest() {
    let (_, table) = crate::api::routes().split();
    let rows = table.rows().iter();
    let routes: BTreeSet<String> = rows
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    let known: BTreeSet<String> = CALLS.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(routes, known);
    let calls = CALLS.iter().map(|(_, call)| (*call).to_owned());
    let calls: BTreeSet<String> = calls.filter(|call| call.contains('.')).collect();
    assert_eq!(calls, contract());
    assert_eq!(calls.len(), CALLS.len() - 3, "each has one of its own");
}
