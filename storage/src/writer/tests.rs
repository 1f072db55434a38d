//! The writer's promises, each broken on purpose or restarted over.

mod here;

use std::path::PathBuf;

use meridian_trace::{Resource, Trace, Tracer};
use rocksdb::statistics::Ticker;
use tempfile::TempDir;

use super::{Durability, QUEUE_BATCHES_MAX, Writer};
use crate::store::database_options;
use crate::{Batch, StorageError, Store, StoreOptions};

const FAMILY: &str = "records";

fn open(directory: &TempDir) -> Store {
    Store::open(options(directory)).expect("a fresh directory opens")
}

fn options(directory: &TempDir) -> StoreOptions {
    StoreOptions {
        path: directory.path().to_path_buf(),
        column_families: &[FAMILY],
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    }
}

fn record(key: &[u8], value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(FAMILY, key.to_vec(), value.to_vec());
    batch
}

#[tokio::test]
async fn committed_batch_is_there_after_reopening() {
    let directory = TempDir::new().expect("temporary directory");
    {
        let store = open(&directory);
        let writer = Writer::start(&store).expect("thread");
        let permit = writer.reserve().await.expect("slot");
        permit
            .submit(record(b"a", b"1"), Durability::Synced)
            .await
            .expect("durable");
    }
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}

/// Opens the database again, once the writer thread has seen its handle go and closed it.
async fn reopened(directory: &TempDir) -> Result<Store, StorageError> {
    loop {
        match Store::open(options(directory)) {
            Err(StorageError::Open { .. }) => tokio::task::yield_now().await,
            opened => return opened,
        }
    }
}

/// Writes one record synced and one buffered, and closes; answers the write-ahead log.
async fn closed_log(directory: &TempDir) -> PathBuf {
    let store = open(directory);
    let writer = Writer::start(&store).expect("thread");
    for (key, durability) in [(b"a", Durability::Synced), (b"b", Durability::Buffered)] {
        let permit = writer.reserve().await.expect("slot");
        let committed = permit.submit(record(key, &[7; 64]), durability);
        committed.await.expect("written");
    }
    let failure = writer.failure();
    drop((writer, store));
    Writer::ended(failure).await;
    std::fs::read_dir(directory.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| path.metadata().expect("a file").len())
        .expect("a write-ahead log")
}

#[tokio::test]
async fn flipped_byte_in_a_synced_record_is_not_passed_over() {
    let directory = TempDir::new().expect("temporary directory");
    let log = closed_log(&directory).await;
    let mut bytes = std::fs::read(&log).expect("readable");
    let synced_value = bytes.iter().position(|byte| *byte == 7).expect("the value");
    bytes[synced_value + 20] ^= 1;
    std::fs::write(&log, bytes).expect("written");
    for _ in 0..2 {
        let opened = reopened(&directory).await.map(drop);
        assert!(
            matches!(opened, Err(StorageError::Lost { .. })),
            "{opened:?}"
        );
    }
}

#[tokio::test]
async fn tail_that_nobody_was_told_of_may_be_torn_off() {
    let directory = TempDir::new().expect("temporary directory");
    let log = closed_log(&directory).await;
    let file = std::fs::File::options()
        .write(true)
        .open(&log)
        .expect("there");
    let length = file.metadata().expect("a file").len();
    file.set_len(length - 3).expect("truncated");
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(vec![7; 64])));
    assert_eq!(store.get(FAMILY, b"b"), Ok(None));
}

/// Without this, every promise of durability above this crate would be a word.
#[tokio::test]
async fn synced_batch_syncs_the_log_and_a_buffered_one_does_not() {
    let directory = TempDir::new().expect("temporary directory");
    let options = options(&directory);
    let mut database = database_options(&options);
    database.enable_statistics();
    let store = Store::open_with(&database, options).expect("a fresh directory opens");
    let writer = Writer::start(&store).expect("thread");
    let syncs = || database.get_ticker_count(Ticker::WalFileSynced);
    let write = async |batch, durability| {
        let before = syncs();
        let permit = writer.reserve().await.expect("slot");
        permit.submit(batch, durability).await.expect("written");
        syncs() - before
    };
    let buffered = Durability::Buffered;
    assert_eq!(write(record(b"a", b"1"), buffered).await, 0);
    assert_eq!(write(record(b"b", b"2"), Durability::Synced).await, 1);
    let written = || database.get_ticker_count(Ticker::WalFileBytes);
    let before = written();
    assert_eq!(write(Batch::new(), buffered).await, 0);
    assert_eq!(written(), before, "one with nothing in it is not written");
    // A barrier makes durable what was buffered before it.
    assert_eq!(write(record(b"c", b"3"), buffered).await, 0);
    assert_eq!(write(Batch::new(), Durability::Synced).await, 1);
}

#[tokio::test]
async fn batches_apply_in_order_of_submission() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let mut last = None;
    for round in 0..500_u32 {
        let permit = writer.reserve().await.expect("slot");
        last = Some(permit.submit(record(b"k", &round.to_be_bytes()), Durability::Buffered));
    }
    last.expect("submitted").await.expect("written");
    assert_eq!(
        store.get(FAMILY, b"k"),
        Ok(Some(499_u32.to_be_bytes().to_vec()))
    );
}

#[tokio::test]
async fn full_queue_is_said_at_once() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let permits: Vec<_> = (0..QUEUE_BATCHES_MAX)
        .map(|_| writer.try_reserve().expect("a free slot"))
        .collect();
    assert_eq!(
        writer.try_reserve().err(),
        Some(StorageError::Overloaded {
            limit: QUEUE_BATCHES_MAX
        })
    );
    drop(permits);
    assert!(writer.try_reserve().is_ok());
}

#[tokio::test]
async fn range_deletion_and_scans_are_half_open() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let mut batch = Batch::new();
    for key in [b"a", b"b", b"c", b"d"] {
        batch.put(FAMILY, key.to_vec(), key.to_vec());
    }
    batch.delete_range(FAMILY, b"b".to_vec(), b"d".to_vec());
    let permit = writer.reserve().await.expect("slot");
    permit
        .submit(batch, Durability::Buffered)
        .await
        .expect("written");
    let keys = |pairs: Vec<(Vec<u8>, Vec<u8>)>| -> Vec<Vec<u8>> {
        pairs.into_iter().map(|(key, _)| key).collect()
    };
    let all = store.scan(FAMILY, b"a", b"z", 10).expect("readable");
    assert_eq!(keys(all), vec![b"a".to_vec(), b"d".to_vec()]);
    let until_d = store.scan(FAMILY, b"a", b"d", 10).expect("readable");
    assert_eq!(keys(until_d), vec![b"a".to_vec()]);
    let mut shown = Vec::new();
    let bounds: (&[u8], &[u8]) = (b"a", b"d");
    let visited = store.visit(FAMILY, bounds, |key, value| {
        shown.push((key.to_vec(), value.to_vec()));
    });
    assert_eq!(visited, Ok(()));
    assert_eq!(shown, [(b"a".to_vec(), b"a".to_vec())]);
    let within = |bytes_max| {
        let bounds: (&[u8], &[u8]) = (b"a", b"z");
        let pairs = store.scan_within(FAMILY, bounds, 10, bytes_max);
        keys(pairs.expect("readable")).len()
    };
    // Each pair is two bytes; the first one comes however large it is.
    assert_eq!((within(0), within(3), within(4)), (1, 1, 2));
    let last = store.last_before(FAMILY, b"a", b"d").expect("readable");
    assert_eq!(last, Some((b"a".to_vec(), b"a".to_vec())));
}

/// What a simulated power cut is worth: buffered records are gone, synced ones and
/// everything before them are there.
#[tokio::test]
async fn copy_of_a_store_for_power_cuts_lacks_what_was_buffered_after_the_last_sync() {
    let directory = TempDir::new().expect("temporary directory");
    let store = Store::open_for_power_cuts(options(&directory)).expect("opens");
    let (writer, mut queue) = Writer::by_hand(&store);
    let mut written = Vec::new();
    for (key, durability) in [
        (b"a", Durability::Buffered),
        (b"b", Durability::Synced),
        (b"c", Durability::Buffered),
    ] {
        let permit = writer.reserve().await.expect("slot");
        written.push(permit.submit(record(key, b"1"), durability));
        queue.write();
    }
    for one in written {
        one.await.expect("written");
    }
    let keys_in_a_copy = || {
        let copy = TempDir::new().expect("temporary directory");
        for file in std::fs::read_dir(directory.path()).expect("readable") {
            let file = file.expect("readable");
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
        }
        let copied = Store::open(options(&copy)).expect("opens");
        let pairs = copied.scan(FAMILY, b"a", b"z", 9).expect("readable");
        pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys_in_a_copy(), [b"a", b"b"]);
    store.hand_over().expect("handed over");
    assert_eq!(keys_in_a_copy(), [b"a", b"b", b"c"]);
}

#[tokio::test]
async fn one_fsync_is_a_step_of_everybody_whom_it_is_for_and_points_to_the_others() {
    let directory = TempDir::new().expect("temporary directory");
    let (writer, mut queue) = Writer::by_hand(&open(&directory));
    let (tracer, mut finished) = Tracer::new(Resource::builder_empty().build(), 8);
    let appends = ["one", "another"].map(|name| tracer.begin(name.to_owned(), None));
    let mut committed = Vec::new();
    for trace in [appends[0].trace(), Trace::none(), appends[1].trace()] {
        let mut permit = writer.reserve().await.expect("slot");
        permit.follow(&trace);
        committed.push(permit.submit(record(b"a", b"1"), Durability::Synced));
    }
    queue.write();
    for one in committed {
        one.await.expect("durable");
    }
    drop(appends);
    let spans = finished.ready(8);
    let of = |name: &str| {
        let append = spans.iter().find(|span| span.name == name).expect("ended");
        append.span_context.clone()
    };
    let (one, another) = (of("one"), of("another"));
    for (append, other) in [(&one, &another), (&another, &one)] {
        let fsyncs = spans
            .iter()
            .filter(|span| span.parent_span_id == append.span_id());
        let fsyncs: Vec<_> = fsyncs.collect();
        assert_eq!(fsyncs.len(), 1, "{spans:?}");
        assert_eq!(fsyncs[0].name, "fsync");
        assert_eq!(fsyncs[0].attributes[0].value.as_str(), "3");
        let links: Vec<_> = fsyncs[0]
            .links
            .iter()
            .map(|link| link.span_context.span_id())
            .collect();
        assert_eq!(links, [other.span_id()]);
    }
}
