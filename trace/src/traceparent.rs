//! The `traceparent` header of W3C Trace Context (recommendation, section 3.2).
//!
//! Read strictly in version 00, and of later versions as much as that one has. Its neighbour
//! `tracestate` is not kept: it is for systems that we do not speak with.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Bytes of version 00.
const BYTES: usize = 55;
/// Flag of a trace that somebody records.
const SAMPLED: u8 = 1;

/// A span of somebody else's, as a header says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(pub(crate) SpanContext);

impl TraceParent {
    /// Reads a header; `None` if it is none: then it is as if it had not come.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() < BYTES || !text.is_char_boundary(BYTES) {
            return None;
        }
        let (head, tail) = text.split_at(BYTES);
        let mut parts = head.split('-');
        let version = hexadecimal::<1>(parts.next()?)?[0];
        let trace = hexadecimal::<16>(parts.next()?)?;
        let span = hexadecimal::<8>(parts.next()?)?;
        let flags = hexadecimal::<1>(parts.next()?)?[0];
        let is_known = match version {
            0 => tail.is_empty(),
            0xff => false,
            _ => tail.is_empty() || tail.starts_with('-'),
        };
        let context = SpanContext::new(
            TraceId::from_bytes(trace),
            SpanId::from_bytes(span),
            TraceFlags::new(flags & SAMPLED),
            true,
            TraceState::NONE,
        );
        (is_known && parts.next().is_none() && context.is_valid()).then_some(Self(context))
    }

    /// Whether somebody records this trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(crate) fn write(context: &SpanContext) -> String {
        let flags = context.trace_flags().to_u8() & SAMPLED;
        format!(
            "00-{}-{}-{flags:02x}",
            context.trace_id(),
            context.span_id()
        )
    }
}

/// Exactly `N` bytes in small hexadecimal digits, as the recommendation demands.
fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}
