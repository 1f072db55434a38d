//! What begins traces, and goes on with those of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::queue::{Finished, Queue};
use crate::step::{Kind, Step};
use crate::trace::Trace;
use crate::traceparent::TraceParent;

/// Name of the scope under which all spans stand.
const SCOPE: &str = "meridian";

/// Begins traces; one that is off begins none. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    tracer: SdkTracer,
    /// Keeps the queue.
    _provider: SdkTracerProvider,
    dropped: Arc<AtomicU64>,
}

impl Tracer {
    /// A tracer whose spans come out at the other end, of which at most `spans_max` wait
    /// there. Whoever asks it for a step has decided that it is followed: it samples nothing.
    #[must_use]
    pub fn new(resource: Resource, spans_max: usize) -> (Self, Finished) {
        let dropped = Arc::new(AtomicU64::new(0));
        let (queue, finished) = Queue::new(spans_max, Arc::clone(&dropped));
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let inner = Inner {
            tracer: provider.tracer(SCOPE),
            _provider: provider,
            dropped,
        };
        (Self(Some(Arc::new(inner))), finished)
    }

    /// One that begins nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether it begins anything.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins what somebody asked for: under the span that they have named, or as a trace of
    /// its own.
    pub fn begin(&self, name: String, under: Option<TraceParent>) -> Step {
        let Some(inner) = &self.0 else {
            return Step::default();
        };
        let builder = inner.tracer.span_builder(name);
        let builder = builder.with_kind(Kind::Served.into());
        let under = under.map_or_else(Context::new, |TraceParent(span)| {
            Context::new().with_remote_span_context(span)
        });
        let span = builder.start_with_context(&inner.tracer, &under);
        Step::new(&inner.tracer, span)
    }

    /// Goes on with what another node of the cluster follows: `carried` is what
    /// [`Trace::carried`] has written there. Nowhere, if that is empty or is nothing.
    #[must_use]
    pub fn go_on(&self, carried: &str) -> Trace {
        let (Some(inner), false) = (&self.0, carried.is_empty()) else {
            return Trace::none();
        };
        TraceParent::read(carried)
            .filter(TraceParent::is_sampled)
            .map_or_else(Trace::none, |TraceParent(span)| {
                Trace::at(&inner.tracer, span)
            })
    }

    /// Spans that were dropped because too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let inner = self.0.as_ref();
        inner.map_or(0, |inner| inner.dropped.load(Ordering::Relaxed))
    }
}
