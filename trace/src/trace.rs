//! Where in a trace a piece of work belongs.

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;

use crate::step::{Kind, Step};
use crate::traceparent::TraceParent;

tokio::task_local! {
    /// What the running task works for.
    static CURRENT: Trace;
}

/// A place in a trace, under which further steps are put; or nowhere, for what is not
/// followed. It refers to its span and does not keep it open. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Trace(Option<Arc<Place>>);

#[derive(Debug)]
struct Place {
    tracer: SdkTracer,
    span: SpanContext,
}

impl Trace {
    pub(crate) fn at(tracer: &SdkTracer, span: SpanContext) -> Self {
        Self(Some(Arc::new(Place {
            tracer: tracer.clone(),
            span,
        })))
    }

    /// Of what is not followed.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// What the running task works for; nowhere, outside of [`Trace::follow`].
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Whether steps under it are recorded.
    #[must_use]
    pub const fn is_followed(&self) -> bool {
        self.0.is_some()
    }

    /// Does some work for this: [`Trace::current`] answers it meanwhile.
    pub fn follow<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// Begins a step now.
    pub fn step(&self, name: &'static str, kind: Kind) -> Step {
        self.begin(name, kind, None)
    }

    /// A step that began at `since`.
    pub fn step_since(&self, name: &'static str, kind: Kind, since: SystemTime) -> Step {
        self.begin(name, kind, Some(since))
    }

    fn begin(&self, name: &'static str, kind: Kind, since: Option<SystemTime>) -> Step {
        let Some(place) = &self.0 else {
            return Step::default();
        };
        let mut builder = place.tracer.span_builder(name).with_kind(kind.into());
        builder.start_time = since;
        let under = Context::new().with_remote_span_context(place.span.clone());
        let span = builder.start_with_context(&place.tracer, &under);
        Step::new(&place.tracer, span)
    }

    /// The header by which another process goes on with it; `None` for what is not followed.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        let place = self.0.as_ref()?;
        Some(TraceParent::write(&place.span))
    }

    /// The same, empty for what is not followed: for a field of a message.
    #[must_use]
    pub fn carried(&self) -> String {
        self.traceparent().unwrap_or_default()
    }

    /// Names the trace, in small hexadecimal digits; `None` for what is not followed.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        let place = self.0.as_ref()?;
        Some(place.span.trace_id().to_string())
    }

    pub(crate) fn span(&self) -> Option<&SpanContext> {
        self.0.as_ref().map(|place| &place.span)
    }
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Served => Self::Server,
            Kind::Asked => Self::Client,
            Kind::Within => Self::Internal,
        }
    }
}
