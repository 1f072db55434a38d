//! Scenarios with real processes: arrange, break one thing, heal it, expect one
//! property. The links are real in kind and an eighth as long as in the demo.

mod attached;
mod bookings;
mod bundle;
mod chaos;
mod command_line;
mod conflicts;
mod console;
mod contract;
mod documents;
mod durability;
mod events;
mod failover;
mod failpoints;
mod finding;
mod goals;
mod grpc;
mod guests;
mod harness;
mod layout;
mod left_behind;
mod levels;
mod listings;
mod mmdb;
mod moves;
mod nearest;
mod payments;
mod provider;
mod real_listings;
mod repair;
mod repeats;
mod sessions;
mod spreading;
mod trails;
mod verdict;
mod webhooks;
