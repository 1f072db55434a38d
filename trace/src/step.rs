//! One step of what is followed: a span.

use opentelemetry::trace::{Span as _, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use crate::trace::Trace;

/// Other steps that one step points to: one fsync carries hundreds of batches, and whoever
/// looks at one of them wants to know of some others, not of all.
pub const LINKS_MAX: usize = 8;

/// On which side of a message a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody has asked for it from outside.
    Served,
    /// Somebody outside is asked.
    Asked,
    /// Neither.
    Within,
}

/// A step that has begun. It ends when it is dropped. Of what is not followed it is nothing,
/// and whatever is said about it costs nothing.
#[derive(Debug, Default)]
#[must_use = "a step ends when it is dropped"]
pub struct Step {
    open: Option<Box<Open>>,
    links: usize,
}

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    span: Span,
}

impl Step {
    pub(crate) fn new(tracer: &SdkTracer, span: Span) -> Self {
        let tracer = tracer.clone();
        Self {
            open: Some(Box::new(Open { tracer, span })),
            links: 0,
        }
    }

    /// The place under it.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.open.as_ref().map_or_else(Trace::none, |open| {
            Trace::at(&open.tracer, open.span.span_context().clone())
        })
    }

    /// Says something about it.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(open) = &mut self.open {
            open.span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// The same, where saying it costs something.
    pub fn set_with<V: Into<Value>>(&mut self, name: &'static str, value: impl FnOnce() -> V) {
        if let Some(open) = &mut self.open {
            open.span.set_attribute(KeyValue::new(name, value()));
        }
    }

    /// Says that it came to nothing.
    pub fn fail(&mut self, why: &impl ToString) {
        if let Some(open) = &mut self.open {
            open.span.set_status(Status::error(why.to_string()));
        }
    }

    /// Points to a step that has shared its work; the first eight are kept.
    pub fn link(&mut self, other: &Trace) {
        let (Some(open), Some(span)) = (&mut self.open, other.span()) else {
            return;
        };
        if self.links < LINKS_MAX {
            self.links += 1;
            open.span.add_link(span.clone(), Vec::new());
        }
    }
}
