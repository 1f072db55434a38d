//! Writes by whoever submits: what they promise is what the thread's promise.
//!
//! The writer's thread is played: it says that it was woken, and writes when it is told to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{FAMILY, open, record, reopened};
use crate::writer::queue::QUICK;
use crate::writer::shared_queue::SharedQueue;
use crate::writer::times::WrittenBy;
use crate::writer::{Running, WriteQueue};
use crate::{Batch, Committed, Durability, StorageError, Store, Writer};

/// For what surely comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A writer whose thread writes once it is released, and tells each time that it is woken before.
struct Played {
    writer: Writer,
    queue: Arc<SharedQueue>,
    woken: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

impl Played {
    fn of(store: &Store) -> Self {
        Self::with(store, |_queue| {})
    }

    fn with(store: &Store, change: impl FnOnce(&mut WriteQueue)) -> Self {
        let (mut writer, mut queue) = Writer::by_hand(store);
        change(&mut queue);
        let queue = Arc::new(SharedQueue::new(queue));
        let (tell, woken) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let shared = Arc::clone(&queue);
        let handle = thread::spawn(move || {
            while matches!(released.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                thread::park();
                // The test may be over.
                let _ = tell.send(());
            }
            shared.write_until_closed();
        });
        let thread = Arc::get_mut(&mut writer.thread).expect("nobody else has it yet");
        thread.running = Some(Running {
            handle,
            queue: Arc::clone(&queue),
        });
        Self {
            writer,
            queue,
            woken,
            release,
        }
    }

    /// Queues a batch; who writes it says on which thread.
    fn queue(&self, batch: Batch) -> (Committed, mpsc::Receiver<ThreadId>) {
        let permit = self.writer.try_reserve().expect("a place");
        let (tell, told) = mpsc::channel();
        let (answer, committed) = oneshot::channel();
        let queued = permit.queue_then(batch, Durability::Synced, move |result| {
            tell.send(thread::current().id()).expect("somebody listens");
            let _ = answer.send(result);
        });
        (Committed::of(queued, committed), told)
    }

    fn is_woken(&self) {
        self.woken.recv_timeout(PATIENCE).expect("it is woken");
    }

    /// Lets the thread write.
    fn release(&self) {
        self.release.send(()).expect("it waits");
        self.writer.thread.wake();
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        // Gone already: the test has released it.
        let _ = self.release.send(());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batch_is_written_by_who_submits_it_if_nobody_else_writes() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let played = Played::of(&store);
    let (mut committed, by) = played.queue(record(b"a", b"1"));
    committed.write_here();
    assert_eq!(by.try_recv(), Ok(thread::current().id()));
    committed.await.expect("durable");
    let stats = played.writer.stats();
    assert_eq!((stats.count, stats.by_submitters), (1, 1));
    drop((played, store));
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}

/// What is counted is one fsync each, by whoever waited for it.
#[test]
fn buffered_writes_are_not_counted() {
    let directory = TempDir::new().expect("temporary directory");
    let (writer, mut queue) = Writer::by_hand(&open(&directory));
    let mut counted_after = |durability, by| {
        let permit = writer.try_reserve().expect("a place");
        permit.submit_then(record(b"a", b"1"), durability, |written| {
            written.expect("a disk that takes it");
        });
        queue.write_by(by);
        let stats = writer.stats();
        (stats.count, stats.by_submitters)
    };
    let synced_by_thread = counted_after(Durability::Synced, WrittenBy::Writer);
    let buffered = counted_after(Durability::Buffered, WrittenBy::Submitter);
    let synced = counted_after(Durability::Synced, WrittenBy::Submitter);
    assert_eq!(
        [synced_by_thread, buffered, synced],
        [(1, 0), (1, 0), (2, 1)]
    );
}

/// Its sockets and timers are watched by somebody: a disk may stall.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn runtime_goes_on_while_its_only_worker_writes() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let played = Played::of(&store);
        let permit = played.writer.try_reserve().expect("a place");
        let (tick, ticked) = mpsc::channel();
        let mut timer = JoinSet::new();
        timer.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tick.send(()).expect("somebody listens");
        });
        let stalls = permit.queue_then(Batch::new(), Durability::Synced, move |_written| {
            ticked.recv_timeout(PATIENCE).expect("timers run");
        });
        stalls.write_here();
    });
    tasks.join_all().await;
}

/// Who was woken by a timer watched all of them, and the other worker sleeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_worker_watches_while_the_disk_stalls() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let (tick, ticked) = mpsc::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tick.send(()).expect("somebody listens");
    });
    tasks.spawn(async move {
        let played = Played::of(&store);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let permit = played.writer.try_reserve().expect("a place");
        let stalls = permit.queue_then(Batch::new(), Durability::Synced, move |_written| {
            ticked.recv_timeout(PATIENCE).expect("timers run");
        });
        stalls.write_here();
    });
    tasks.join_all().await;
}

#[tokio::test]
async fn only_thread_of_a_runtime_leaves_it_to_the_writers() {
    let directory = TempDir::new().expect("temporary directory");
    let played = Played::of(&open(&directory));
    let (mut committed, by) = played.queue(record(b"a", b"1"));
    committed.write_here();
    played.is_woken();
    assert!(by.try_recv().is_err(), "nobody has written it");
    played.release();
    committed.await.expect("durable");
    let by = by.try_recv().expect("written");
    assert_ne!(by, thread::current().id());
}

#[test]
fn what_is_neither_written_nor_awaited_is_left_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let played = Played::of(&open(&directory));
    let (committed, by) = played.queue(record(b"a", b"1"));
    drop(committed);
    played.is_woken();
    played.release();
    assert!(by.recv_timeout(PATIENCE).is_ok(), "written");
}

/// Nobody submits anything afterwards: what was queued beside a write must not lie there.
#[test]
fn batch_that_is_queued_while_another_is_written_is_left_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let played = Played::of(&store);
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let permit = played.writer.try_reserve().expect("a place");
    let first = permit.queue_then(record(b"k", b"1"), Durability::Synced, move |_written| {
        begun.send(()).expect("somebody listens");
        goes_on.recv().expect("told");
    });
    let writing = thread::spawn(move || first.write_here());
    begins.recv().expect("it is being written");
    let (mut beside, by) = played.queue(record(b"k", b"2"));
    beside.write_here();
    assert!(by.try_recv().is_err(), "in the midst of another write");
    played.is_woken();
    go_on.send(()).expect("it waits");
    writing.join().expect("no panic");
    played.release();
    assert!(by.recv_timeout(PATIENCE).is_ok(), "written");
    assert_eq!(store.get(FAMILY, b"k"), Ok(Some(b"2".to_vec())), "in order");
}

#[test]
fn slow_disk_is_left_to_the_thread() {
    let directory = TempDir::new().expect("temporary directory");
    let played = Played::with(&open(&directory), |queue| queue.sync_time = QUICK);
    let (mut committed, by) = played.queue(record(b"a", b"1"));
    committed.write_here();
    played.is_woken();
    assert!(by.try_recv().is_err(), "nobody has written it");
    assert!(!played.queue.write_here(), "nor is it the next one's");
}

/// Nobody waits for ever, and whoever watches the writer hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn panic_of_a_callback_stops_the_writer() {
    let directory = TempDir::new().expect("temporary directory");
    let played = Played::of(&open(&directory));
    let mut failure = played.writer.failure();
    let permit = played.writer.try_reserve().expect("a place");
    let behind = played.writer.try_reserve().expect("a place");
    let defect = permit.queue_then(Batch::new(), Durability::Synced, |_written| {
        panic!("a defect");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| defect.write_here())).is_err());
    assert!(failure.changed().await.is_err(), "the writer has gone");
    assert_eq!(
        played.writer.try_reserve().err(),
        Some(StorageError::Stopped)
    );
    played.release();
    let behind = behind.submit(Batch::new(), Durability::Synced).await;
    assert_eq!(behind, Err(StorageError::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn last_handle_may_go_before_the_write() {
    let directory = TempDir::new().expect("temporary directory");
    let store = open(&directory);
    let writer = Writer::start(&store).expect("thread");
    let permit = writer.reserve().await.expect("slot");
    let mut committed = permit.queue(record(b"a", b"1"), Durability::Synced);
    let failure = writer.failure();
    drop((writer, store));
    committed.write_here();
    committed.await.expect("durable");
    Writer::ended(failure).await;
    let store = reopened(&directory).await.expect("sound");
    assert_eq!(store.get(FAMILY, b"a"), Ok(Some(b"1".to_vec())));
}
