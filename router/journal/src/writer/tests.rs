//! The writer with work that fails, that is given up, and that fills the disk.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use tempfile::TempDir;

use super::*;
use crate::store::schema::{self, Durability};

/// A writer on a table of numbers, and a connection that reads it.
fn numbers(scratch: &TempDir) -> (Arc<Writer>, Connection) {
    let file = scratch.path().join("numbers.db");
    let connection = schema::open(&file, Durability::Full).expect("opens");
    connection.execute_batch("CREATE TABLE numbers (number INTEGER)").expect("is made");
    let options = Options { queue: 100, upkeep: Box::new(|_| Ok(false)), every: Duration::from_secs(3_600) };
    let writer = Writer::open(connection, options, ()).expect("starts");
    (Arc::new(writer), schema::open_to_read(&file).expect("opens"))
}

fn put(connection: &Connection, number: u32) -> Result<(), JournalError> {
    connection.execute("INSERT INTO numbers (number) VALUES (?1)", [number])?;
    Ok(())
}

fn all(connection: &Connection) -> Vec<u32> {
    let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number").expect("a question");
    let rows = statement.query_map([], |row| row.get(0)).expect("an answer");
    rows.map(|row| row.expect("a number")).collect()
}

/// Holds the thread up, so that what comes next is one batch, until the result is dropped.
fn hold_up(writer: &Arc<Writer>) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (reached, reaches) = mpsc::channel();
    let writer = Arc::clone(writer);
    tokio::spawn(async move {
        let work = move |_: &Connection| {
            let _ = reached.send(());
            // An error says that it was released.
            let _ = held.recv();
            Ok(())
        };
        writer.write(0, work, |()| {}).await
    });
    reaches.recv().expect("the thread is held up");
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_fails_harms_no_neighbour() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (writer, reader) = numbers(&scratch);
    let release = hold_up(&writer);
    let told = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let (writer, told) = (Arc::clone(&writer), Arc::clone(&told));
            tokio::spawn(async move {
                let work = move |connection: &Connection| {
                    put(connection, number)?;
                    if number % 3 == 0 { Err(JournalError::Full(String::new())) } else { Ok(number) }
                };
                writer
                    .write(1, work, move |_| {
                        told.fetch_add(1, Ordering::SeqCst);
                    })
                    .await
            })
        })
        .collect();
    drop(release);
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic").ok());
    }
    let expected: Vec<u32> = (0..10).filter(|number| number % 3 != 0).collect();
    assert_eq!(answers.into_iter().flatten().collect::<Vec<_>>(), expected);
    assert_eq!((all(&reader), told.load(Ordering::SeqCst)), (expected, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_done_also_when_nobody_waits_for_it_any_more() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (writer, reader) = numbers(&scratch);
    let release = hold_up(&writer);
    let told = Arc::new(AtomicU32::new(0));
    let after = Arc::clone(&told);
    {
        let given_up = writer.write(1, |connection| put(connection, 7), move |()| after.store(1, Ordering::SeqCst));
        tokio::select! {
            biased;
            _ = given_up => panic!("the thread is held up"),
            () = std::future::ready(()) => {}
        }
    }
    drop(release);
    assert_eq!(writer.write(1, |connection| put(connection, 8), |()| {}).await, Ok(()));
    assert_eq!((all(&reader), told.load(Ordering::SeqCst)), (vec![7, 8], 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_what_fits_is_done() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (writer, reader) = numbers(&scratch);
    let limit = |connection: &Connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(())
    };
    assert_eq!(writer.write(0, limit, |()| {}).await, Ok(()));
    let fill = |connection: &Connection| {
        connection.execute("INSERT INTO numbers (number) SELECT zeroblob(100000)", [])?;
        Ok(())
    };
    let release = hold_up(&writer);
    let filling = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.write(1, fill, |()| {}).await }
    });
    let fitting = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.write(1, |connection| put(connection, 1), |()| {}).await }
    });
    drop(release);
    assert!(matches!(filling.await.expect("no panic"), Err(JournalError::Full(_))));
    assert_eq!(fitting.await.expect("no panic"), Ok(()));
    assert_eq!(all(&reader), [1]);
    assert!(matches!(writer.write(1, fill, |()| {}).await, Err(JournalError::Full(_))));
    assert!(matches!(writer.trouble(), Some(JournalError::Full(_))), "operators learn of it");
    assert_eq!(writer.write(1, |connection| put(connection, 2), |()| {}).await, Ok(()));
    assert_eq!(writer.trouble(), None, "and that it is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_done_before_the_end() {
    let scratch = TempDir::new().expect("a scratch directory");
    let (writer, reader) = numbers(&scratch);
    let release = hold_up(&writer);
    let mut waiting = Box::pin(writer.write(1, |connection| put(connection, 1), |()| {}));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("the thread is held up"),
        () = std::future::ready(()) => {}
    }
    let closing = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.close().await }
    });
    drop(release);
    assert_eq!(waiting.await, Ok(()));
    closing.await.expect("no panic");
    assert_eq!(all(&reader), [1]);
    assert_eq!(writer.write(1, |connection| put(connection, 2), |()| {}).await, Err(closed()));
}
