//! What comes from a peer before anybody knows what it is about, fed with what nobody
//! would send.

use std::time::{Duration, Instant};

use bytes::Bytes;
use meridian_fuzz::{fuzz, reads_exactly};
use meridian_regions::{Dialect, FormatLevel};

use crate::frame::{FrameDecoder, prefix};
use crate::greeting::Introduction;
use crate::heartbeat::Heartbeat;
use crate::wire::{Expected, Purpose, Status, greeted, greeting, welcome, welcomed};
use crate::{Channel, FRAME_BYTES_MAX, NodeIdentity};

/// Frames in pieces as long as the first byte says; what was read and what is left are
/// what came.
#[test]
fn frames() {
    let mut example = vec![3];
    for frame in [&b"hello"[..], b"", b"world"] {
        example.extend(prefix(frame.len()).expect("short"));
        example.extend(frame);
    }
    fuzz("frames", &[example], |input| {
        let (size, wire) = input.split_first().unwrap_or((&1, &[]));
        let mut decoder = FrameDecoder::default();
        let (mut read, mut frames) = (Vec::new(), 0);
        for piece in wire.chunks(usize::from(*size).max(1)) {
            decoder.push(piece);
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => {
                        assert!(frame.len() <= FRAME_BYTES_MAX);
                        read.extend(prefix(frame.len()).expect("short"));
                        read.extend(frame);
                        frames += 1;
                    }
                    Ok(None) => break,
                    Err(cause) => return cause.to_string(),
                }
            }
        }
        assert!(wire.starts_with(&read));
        assert_eq!(decoder.is_inside_frame(), read.len() < wire.len());
        "+".repeat(frames)
    });
}

/// The head alone of what [`Purpose::head`] or [`Status::to_frame`] makes.
fn head(wire: &[u8]) -> Bytes {
    let mut decoder = FrameDecoder::default();
    decoder.push(wire);
    decoder.next().expect("short").expect("whole")
}

#[test]
fn heads() {
    let request = Purpose::Request {
        channel: Channel::Pull,
        expected: Expected::Frames,
    };
    let dialect = Dialect {
        release: "1.2.3".to_owned(),
        ..Dialect::default()
    };
    let wires = [
        request.head(7).expect("short"),
        Purpose::Greeting.head(0).expect("short"),
        Status::Failed.to_frame(),
        greeting(&dialect.clone().into()),
        welcome(&dialect.clone().into()),
        greeting(&Introduction::holding(&dialect, FormatLevel::LATEST)),
    ];
    let examples = wires.map(|wire| head(&wire).to_vec());
    fuzz("heads", &examples, |input| {
        let input = Bytes::copy_from_slice(input);
        let purpose = Purpose::decode(input.clone());
        for said in [greeted(input.clone()), welcomed(input.clone())]
            .iter()
            .flatten()
        {
            assert_eq!(greeted(head(&greeting(said))).as_ref(), Some(said));
            assert_eq!(welcomed(head(&welcome(said))).as_ref(), Some(said));
        }
        if let Some(purpose) = purpose {
            let again = head(&purpose.head(7).expect("short"));
            assert_eq!(Purpose::decode(again), Some(purpose));
        }
        let status = Status::decode(input);
        if let Some(status) = status {
            assert_eq!(Status::decode(head(&status.to_frame())), Some(status));
        }
        format!("{purpose:?} {status:?}")
    });
}

#[test]
fn identity() {
    let identity = NodeIdentity {
        cluster: "test".parse().expect("a name"),
        region: "us-east".parse().expect("a region"),
        node: meridian_regions::NodeId::new(7).expect("not zero"),
    };
    let decode = |input: &[u8]| {
        let name = std::str::from_utf8(input).map_err(|_| "no text")?;
        NodeIdentity::from_dns_name(name).map_err(|_| "none")
    };
    let target = reads_exactly(decode, |identity| identity.dns_name().into_bytes());
    fuzz("identity", &[identity.dns_name().into_bytes()], target);
}

/// Echoes that nobody waits for tell of no way that is longer than the time that passed.
#[test]
fn echo() {
    let start = Instant::now();
    let now = start + Duration::from_secs(2);
    let example = Heartbeat::new(start).beat(start + Duration::from_secs(1));
    fuzz("echo", &[example.to_vec()], |input| {
        let mut heartbeat = Heartbeat::new(start);
        heartbeat.echoed(input, now);
        match heartbeat.round_trip() {
            None => "nothing".to_owned(),
            Some(round_trip) => {
                assert!(round_trip.mean <= now - start, "{round_trip:?}");
                assert!(heartbeat.phi(now).is_some_and(f64::is_finite));
                "a way".to_owned()
            }
        }
    });
}
