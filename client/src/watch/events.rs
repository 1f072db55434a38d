//! Events, read out of a stream of bytes (WHATWG HTML, section 9.2.6).
//!
//! Plain data, and no more of it than one event: however a stream is cut into pieces, and
//! whatever it says without end, no more than that is kept. `retry` is passed over: pauses are
//! the client's own.

use bytes::{Buf, Bytes};
use serde_json::Value;

use crate::CallError;

/// Longest event, in bytes: as an answer, which shows the same document.
const EVENT_BYTES_MAX: usize = crate::wire::ANSWER_BYTES_MAX;

/// Something that has come of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchEvent {
    /// Names what has been seen of the listing, this event included: from here
    /// [`crate::Client::watch_after`] goes on.
    pub id: Option<String>,
    /// Its kind: `listing.updated`, `listing.deleted`, `availability.changed`, or
    /// `watch.ended`, which says why a node has ended the stream.
    pub event: String,
    /// What the kind goes with: the whole document, the `revision` of the ledger, a `reason`.
    pub data: Value,
}

/// What of a stream has been read, and is no event yet.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    /// The last line has ended with a CR: an LF right behind belongs to it.
    is_after_cr: bool,
    event: String,
    data: String,
    id: Option<String>,
    /// The id at the end of the last event: that of the next one says nothing before its end.
    seen: Option<String>,
    /// Bytes of the event so far; what says nothing of it is not kept, and does not count.
    bytes: usize,
}

impl EventReader {
    /// Reads on behind an event, by its id.
    pub(super) fn after(id: Option<String>) -> Self {
        Self {
            seen: id.clone(),
            id,
            ..Self::default()
        }
    }

    /// Id of the last event.
    pub(super) fn seen(&self) -> Option<&str> {
        self.seen.as_deref()
    }

    /// Reads on in a piece, up to the end of the next event at most.
    ///
    /// # Errors
    /// [`CallError::Decode`]: it is too long, or its data is no JSON.
    pub(super) fn read(&mut self, piece: &mut Bytes) -> Result<Option<WatchEvent>, CallError> {
        while let Some(&first) = piece.first() {
            if std::mem::take(&mut self.is_after_cr) && first == b'\n' {
                piece.advance(1);
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let part = piece.split_to(end.unwrap_or(piece.len()));
            self.bytes += part.len();
            if self.bytes > EVENT_BYTES_MAX {
                let why = format!("an event is longer than {EVENT_BYTES_MAX} bytes");
                return Err(CallError::Decode(why));
            }
            self.line.extend_from_slice(&part);
            if end.is_none() {
                break;
            }
            self.is_after_cr = piece.first() == Some(&b'\r');
            piece.advance(1);
            let line = std::mem::take(&mut self.line);
            if !line.is_empty() {
                self.take(&line);
            } else if let Some(event) = self.end()? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Takes in a line that is no empty one.
    fn take(&mut self, line: &[u8]) {
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let value = String::from_utf8_lossy(value);
        match name {
            b"event" => self.event = value.into_owned(),
            b"data" => {
                self.data.push_str(&value);
                self.data.push('\n');
            }
            b"id" if !value.contains('\0') => {
                self.id = Some(value.into_owned()).filter(|id| !id.is_empty());
            }
            _ => self.bytes -= line.len(),
        }
    }

    /// Ends an event; without data there is none.
    fn end(&mut self) -> Result<Option<WatchEvent>, CallError> {
        self.bytes = 0;
        self.seen.clone_from(&self.id);
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return Ok(None);
        }
        let data = serde_json::from_str(&data)
            .map_err(|cause| CallError::Decode(format!("the data of an event: {cause}")))?;
        Ok(Some(WatchEvent {
            id: self.seen.clone(),
            event,
            data,
        }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::json;

    use super::{EVENT_BYTES_MAX, EventReader, WatchEvent};
    use crate::CallError;

    /// Every event of a stream that comes in these pieces.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<WatchEvent>, CallError> {
        let mut reader = EventReader::after(Some("before".to_owned()));
        let mut events = Vec::new();
        for piece in pieces {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(event) = reader.read(&mut piece)? {
                events.push(event);
            }
            assert!(piece.is_empty(), "it is read to its end");
        }
        Ok(events)
    }

    fn event(id: Option<&str>, event: &str, data: serde_json::Value) -> WatchEvent {
        WatchEvent {
            id: id.map(str::to_owned),
            event: event.to_owned(),
            data,
        }
    }

    /// Comments, each way to end a line, data in two lines, an event without an id, one without
    /// data, ids that say nothing, and one that was cut short.
    const STREAM: &str = ":\n\nevent: listing.updated\ndata: {\"a\":\ndata:\"ä\"}\nid: \"x\";1\n\n\
        retry: 5\r\n: hello\r\n\r\nevent:watch.ended\r\ndata: 1\r\n\r\n\
        id: \0\rdata: 2\r\rid: y\n\nid\ndata: 3\n\ndata: 4\n";

    fn expected() -> Vec<WatchEvent> {
        vec![
            event(Some("\"x\";1"), "listing.updated", json!({"a": "ä"})),
            event(Some("\"x\";1"), "watch.ended", json!(1)),
            event(Some("\"x\";1"), "", json!(2)),
            event(None, "", json!(3)),
        ]
    }

    #[test]
    fn events_are_read_as_the_standard_has_it() {
        assert_eq!(read([STREAM.as_bytes()]), Ok(expected()));
        let first = read([&b"data: 1\n\n"[..]]).expect("read");
        assert_eq!(first[0].id.as_deref(), Some("before"));
    }

    #[test]
    fn what_is_too_long_or_no_json_is_told() {
        let long = vec![b'x'; EVENT_BYTES_MAX / 2];
        let endless = [&b"data: "[..], &long, &long, &long];
        assert!(matches!(read(endless), Err(CallError::Decode(_))));
        let lines = std::iter::repeat_n([&b"id: "[..], &long, b"\n"], 3).flatten();
        assert!(matches!(read(lines), Err(CallError::Decode(_))));
        let no_json = read([&b"data: {\n\n"[..]]);
        assert!(matches!(no_json, Err(CallError::Decode(_))));
    }

    #[test]
    fn comments_without_end_add_up_to_nothing() {
        let long = vec![b'x'; EVENT_BYTES_MAX / 2];
        let lines = std::iter::repeat_n([&b": "[..], &long, b"\n"], 5).flatten();
        assert_eq!(read(lines), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn pieces_may_be_cut_anywhere(cuts in prop::collection::vec(0..STREAM.len(), 0..40)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &STREAM.as_bytes()[cut[0]..cut[1]]);
            prop_assert_eq!(read(pieces), Ok(expected()));
        }

        /// Of letters that mean something, so that some of it is events.
        #[test]
        fn whatever_comes_is_events_or_told(
            bytes in prop::collection::vec(prop::sample::select(b"idata: \r\n1{\0\xff".to_vec()), 0..200)
        ) {
            let whole = read([bytes.as_slice()]);
            prop_assert!(matches!(whole, Ok(_) | Err(CallError::Decode(_))));
            prop_assert_eq!(read(bytes.chunks(1)), whole);
        }
    }
}
