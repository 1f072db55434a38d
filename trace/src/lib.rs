//! Steps of a request that is followed from node to node, as OpenTelemetry spans.
//!
//! Whether a request is followed is decided once, where it comes in. What is not followed
//! costs a look at an empty place: no span is made, and nothing travels. What is followed has
//! a [`Trace`], which goes with the task that works on it ([`Trace::follow`]), in messages
//! ([`Trace::traceparent`]), and in tables beside what is written. Nothing of it is stored:
//! the same is on disk with and without it.
//!
//! What it is not: it exports nothing. What has ended waits in a queue of bounded length
//! ([`Finished`]) and is dropped and counted if nobody fetches it in time, so that whoever is
//! followed never waits for who looks on.

#[cfg(test)]
mod fuzz;
mod queue;
mod step;
#[cfg(test)]
mod tests;
mod trace;
mod traceparent;
mod tracer;

pub use opentelemetry::KeyValue;
pub use opentelemetry_sdk::Resource;
pub use opentelemetry_sdk::trace::{SpanData, SpanExporter};
pub use queue::Finished;
pub use step::{Kind, LINKS_MAX, Step};
pub use trace::Trace;
pub use traceparent::TraceParent;
pub use tracer::Tracer;
