//! Writes by whoever submits: what they promise is what the thread's promise.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{FAMILY, open, record, reopened};
use crate::writer::queue::QUICK;
use crate::writer::shared_queue::SharedQueue;
use crate::{Batch, Committed, Durability, StorageError, Writer};

/// Queues a batch; who writes it says on which thread.
async fn queue(writer: &Writer, batch: Batch) -> (Committed, mpsc::Receiver<ThreadId>) {
    let permit = writer.reserve().await.expect("slot");
    let (tell, told) = mpsc::channel();
    let (answer, committed) = oneshot::channel();
    let queued = permit.queue_then(batch, Durability::Synced, move |result| {
        tell.send(thread::current().id()).expect("somebody listens");
        let _ = answer.send(result);
    });
    (Committed::of(queued, committed), told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_is_written_by_who_submits_it_if_nobody_else_writes() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let (mut committed, by) = queue(&writer, record(b"a", b"1")).await;
    committed.write_here();
    assert_eq!(by.try_recv(), Ok(thread::current().id()));
    committed.await.expect("durable");
    drop((writer, store));
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}

#[tokio::test]
async fn only_worker_of_a_runtime_leaves_it_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let writer = Writer::start(&open(&directory)).expect("thread");
    let (mut committed, by) = queue(&writer, record(b"a", b"1")).await;
    committed.write_here();
    committed.await.expect("durable");
    assert_ne!(by.try_recv(), Ok(thread::current().id()));
}

#[tokio::test]
async fn what_is_neither_written_nor_awaited_is_left_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let (committed, by) = queue(&writer, record(b"a", b"1")).await;
    drop(committed);
    assert_ne!(by.recv(), Ok(thread::current().id()));
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}

/// Nobody submits anything afterwards: what was queued beside a write must not lie there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_that_is_queued_while_another_is_written_is_written_too() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let permit = writer.reserve().await.expect("slot");
    let first = permit.queue_then(record(b"k", b"1"), Durability::Synced, move |_written| {
        begun.send(()).expect("somebody listens");
        goes_on.recv().expect("told");
    });
    let writing = thread::spawn(move || first.write_here());
    begins.recv().expect("it is being written");
    let (mut beside, by) = queue(&writer, record(b"k", b"2")).await;
    beside.write_here();
    assert!(by.try_recv().is_err(), "in the midst of another write");
    go_on.send(()).expect("it waits");
    beside.await.expect("durable");
    writing.join().expect("no panic");
    assert_eq!(store.get(FAMILY, b"k"), Ok(Some(b"2".to_vec())), "in order");
}

#[test]
fn slow_disk_is_left_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let (writer, mut queue) = Writer::by_hand(&open(&directory));
    queue.sync_time = QUICK;
    let queue = SharedQueue::new(queue);
    let permit = writer.try_reserve().expect("slot");
    let committed = permit.queue(record(b"a", b"1"), Durability::Synced);
    assert!(!queue.write_here(), "nothing has been written");
    assert_eq!(writer.queued(), 1);
    drop(committed);
}

/// As if the thread had ended: nobody waits for ever, and whoever watches the writer hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_of_a_callback_stops_the_writer() {
    let directory = TempDir::new().expect("temporary directory");
    let writer = Writer::start(&open(&directory)).expect("thread");
    let mut failure = writer.failure();
    let permit = writer.reserve().await.expect("slot");
    let defect = permit.queue_then(Batch::new(), Durability::Synced, |_written| {
        panic!("a defect");
    });
    let behind = writer.reserve().await.expect("slot");
    assert!(catch_unwind(AssertUnwindSafe(|| defect.write_here())).is_err());
    assert!(failure.changed().await.is_err(), "the writer has gone");
    let behind = behind.submit(Batch::new(), Durability::Synced).await;
    assert_eq!(behind, Err(StorageError::Stopped));
    assert_eq!(writer.reserve().await.err(), Some(StorageError::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_handle_may_go_before_the_write() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let (mut committed, _by) = queue(&writer, record(b"a", b"1")).await;
    let failure = writer.failure();
    drop((writer, store));
    committed.write_here();
    committed.await.expect("durable");
    Writer::ended(failure).await;
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}
