//! `--watch`: runs again whenever the configuration changes.

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};

use super::{clear_screen, real};
use crate::command::Failed;

/// An editor writes a file in several steps; a run begins when so long nothing more was written.
const QUIET: Duration = Duration::from_millis(100);

/// Runs, and runs again after each change, until it is stopped. What a run itself writes, to `output`, is none.
pub(super) fn run(
    directory: &Path,
    output: Option<&Path>,
    once: impl Fn() -> Result<ExitCode, Failed>,
) -> Result<ExitCode, Failed> {
    let (tell, changes) = channel();
    let own = output.map(real);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // To read a file is no change of it. Who no longer listens has ended.
        let is_change = |event: notify::Event| {
            let is_own = own.as_ref().is_some_and(|own| event.paths.iter().all(|path| real(path) == *own));
            !is_own && !matches!(event.kind, EventKind::Access(_))
        };
        if event.is_ok_and(is_change) {
            let _ended = tell.send(());
        }
    })?;
    watcher.watch(&real(directory), RecursiveMode::Recursive)?;
    loop {
        clear_screen();
        if let Err(why) = once() {
            crate::command::output::complain(&why.to_string());
        }
        crate::command::output::complain(&format!("waiting for a change in {}", directory.display()));
        if !changed(&changes) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Waits for a change, and until it is whole; false when there will be no more.
fn changed(changes: &Receiver<()>) -> bool {
    if changes.recv().is_err() {
        return false;
    }
    loop {
        match changes.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
