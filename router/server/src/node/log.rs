//! Where log lines go: into memory, and from there to standard error by a thread of their own, many at once.
//!
//! A slow terminal or a full pipe must not hold up an exchange, and a thread woken for each line would cost more than
//! the line. Beyond a bound lines are dropped, and how many is told once there is room again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait, in bytes.
const WAITING_MAX: usize = 4 << 20;

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(10);

/// What log lines are written to. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

/// Writes out what is left when it is dropped.
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    some: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    dropped: u64,
    closed: bool,
}

/// Begins the thread that writes.
pub(super) fn begin(output: impl Write + Send + 'static) -> io::Result<(Lines, LogGuard)> {
    let shared = Arc::new(Shared { waiting: Mutex::default(), some: Condvar::new() });
    let lines = Lines(Arc::clone(&shared));
    let thread = std::thread::Builder::new().name("log".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || shared.drain(output)
    })?;
    Ok((lines, LogGuard { shared, thread: Some(thread) }))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self, mut output: impl Write) {
        let mut text = Vec::new();
        loop {
            let waiting = self.some.wait_while(self.lock(), |waiting| waiting.text.is_empty() && !waiting.closed);
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            if !waiting.closed {
                let gathered = self.some.wait_timeout_while(waiting, GATHER, |waiting| !waiting.closed);
                waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
            }
            let (closed, dropped) = (waiting.closed, std::mem::take(&mut waiting.dropped));
            std::mem::swap(&mut waiting.text, &mut text);
            drop(waiting);
            // There is nowhere to tell that the log can't be written.
            let _ = output.write_all(&text);
            if dropped > 0 {
                let _ = writeln!(output, "{dropped} log lines were dropped: they came faster than they could be written");
            }
            let _ = output.flush();
            text.clear();
            if closed {
                return;
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// Takes one line, which `tracing` writes as a whole.
pub(super) struct Line<'a>(&'a Shared);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.text.len() + line.len() > WAITING_MAX {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        let is_first = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.0.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.some.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands each write to the test, and goes on when the test says so.
    struct Gate(mpsc::Sender<Vec<u8>>, mpsc::Receiver<()>);

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.send(text.to_vec()).map_err(io::Error::other)?;
            self.1.recv().map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_all_lines_in_order_before_the_guard_is_gone() {
        let (written, texts) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let (lines, guard) = begin(Gate(written, gone)).expect("a thread");
        for _ in 0..3 {
            go.send(()).expect("the writer is there");
        }
        for line in ["one\n", "two\n", "three\n"] {
            lines.make_writer().write_all(line.as_bytes()).expect("a line");
        }
        drop(guard);
        assert_eq!(texts.try_iter().flatten().collect::<Vec<u8>>(), b"one\ntwo\nthree\n");
    }

    #[test]
    fn drops_lines_and_says_so_rather_than_wait_for_a_slow_reader() {
        let (written, texts) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let (lines, guard) = begin(Gate(written, gone)).expect("a thread");
        let line = [b'x'; 1 << 20];
        lines.make_writer().write_all(&line).expect("a line");
        let first = texts.recv().expect("it is being written");
        for _ in 0..6 {
            lines.make_writer().write_all(&line).expect("a line");
        }
        for _ in 0..16 {
            go.send(()).expect("the writer is there");
        }
        drop(guard);
        let rest: Vec<u8> = texts.try_iter().flatten().collect();
        assert_eq!(first.len() + rest.iter().filter(|byte| **byte == b'x').count(), 5 << 20);
        assert!(rest.ends_with(b"2 log lines were dropped: they came faster than they could be written\n"));
    }
}
