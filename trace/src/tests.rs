//! What is recorded, under what, and what is not.

use opentelemetry::trace::SpanId;

use crate::{Finished, Kind, Resource, SpanData, Trace, TraceParent, Tracer};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SPANS_MAX: usize = 16;

fn tracer() -> (Tracer, Finished) {
    Tracer::new(Resource::builder_empty().build(), SPANS_MAX)
}

fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    let span = spans.iter().find(|span| span.name == name);
    span.unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

#[tokio::test]
async fn steps_stand_under_what_their_task_works_for() {
    let (tracer, mut finished) = tracer();
    let request = tracer.begin("POST /v1/bookings".to_owned(), TraceParent::read(PARENT));
    let work = async {
        let mut propose = Trace::current().step("propose", Kind::Within);
        propose.set("meridian.listing", "lst_1");
        let under = propose.trace();
        under
            .follow(async { drop(Trace::current().step("append", Kind::Within)) })
            .await;
        assert!(Trace::current().is_followed());
    };
    request.trace().follow(work).await;
    assert!(!Trace::current().is_followed());
    drop(request);
    let spans = finished.next(SPANS_MAX).await;
    let [append, propose, request] =
        ["append", "propose", "POST /v1/bookings"].map(|name| named(&spans, name));
    assert_eq!(append.parent_span_id, propose.span_context.span_id());
    assert_eq!(propose.parent_span_id, request.span_context.span_id());
    assert_eq!(request.parent_span_id.to_string(), "00f067aa0ba902b7");
    let trace = append.span_context.trace_id().to_string();
    assert_eq!(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn another_node_goes_on_with_what_is_carried_to_it() {
    let (here, mut finished_here) = tracer();
    let (there, mut finished_there) = tracer();
    let step = here.begin("GET /v1/regions".to_owned(), None);
    let carried = step.trace().carried();
    drop(there.go_on(&carried).step("forwarded", Kind::Served));
    drop(step);
    let (here, there) = (finished_here.next(1).await, finished_there.next(1).await);
    assert_eq!(there[0].parent_span_id, here[0].span_context.span_id());
    assert_eq!(here[0].parent_span_id, SpanId::INVALID);
    assert!(there[0].parent_span_is_remote);
}

#[test]
fn what_is_not_followed_makes_no_span_and_carries_nothing() {
    let (tracer, mut finished) = tracer();
    for nowhere in [
        Trace::none(),
        Trace::current(),
        tracer.go_on(""),
        tracer.go_on("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
        Tracer::off().go_on(PARENT),
        Tracer::off()
            .begin("POST /v1/bookings".to_owned(), None)
            .trace(),
    ] {
        let step = nowhere.step("propose", Kind::Within);
        assert!(!step.trace().is_followed());
        assert_eq!(step.trace().carried(), "");
        assert_eq!(nowhere.id(), None);
    }
    assert!(finished.ready(SPANS_MAX).is_empty());
}

#[test]
fn full_queue_drops_and_counts_and_never_waits() {
    let (tracer, mut finished) = tracer();
    for _ in 0..SPANS_MAX + 3 {
        drop(tracer.begin("GET /v1/regions".to_owned(), None));
    }
    assert_eq!(tracer.dropped(), 3);
    assert_eq!(finished.ready(usize::MAX).len(), SPANS_MAX);
}

#[test]
fn headers_are_read_as_the_recommendation_says() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (header, is_read) in [
        (format!("00-{trace}-{span}-01"), true),
        (format!("00-{trace}-{span}-00"), true),
        (format!("cc-{trace}-{span}-01-what-comes-later"), true),
        (format!("00-{trace}-{span}-01-what"), false),
        (format!("ff-{trace}-{span}-01"), false),
        (format!("cc-{trace}-{span}-01x"), false),
        (format!("00-{}-{span}-01", trace.to_uppercase()), false),
        (format!("00-{}-{span}-01", "0".repeat(32)), false),
        (format!("00-{trace}-{}-01", "0".repeat(16)), false),
        (format!("00-{trace}-{span}"), false),
        (String::new(), false),
    ] {
        assert_eq!(TraceParent::read(&header).is_some(), is_read, "{header}");
    }
    let unsampled = TraceParent::read(&format!("00-{trace}-{span}-02"));
    assert!(!unsampled.expect("a header").is_sampled());
}

/// What a step costs, for `docs/adr/0058-tracing.md`; the bound is far from it, so that a machine
/// that is busy does not fail.
#[test]
fn step_of_what_is_not_followed_costs_next_to_nothing() {
    const STEPS: u32 = 100_000;
    let each = |trace: &Trace| {
        let began = std::time::Instant::now();
        for index in 0..STEPS {
            let mut step = trace.step("append", Kind::Within);
            step.set_with("meridian.log_index", || i64::from(index));
        }
        began.elapsed() / STEPS
    };
    let (tracer, mut finished) = Tracer::new(Resource::builder_empty().build(), 1 << 17);
    let request = tracer.begin("POST /v1/bookings".to_owned(), None);
    let (unfollowed, followed) = (each(&Trace::none()), each(&request.trace()));
    println!("a step: {unfollowed:?} not followed, {followed:?} followed");
    assert_eq!(finished.ready(usize::MAX).len(), STEPS as usize);
    assert!(
        unfollowed < std::time::Duration::from_micros(5),
        "{unfollowed:?}"
    );
}
