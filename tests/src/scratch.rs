//! Directories for the files of one server.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

const PREFIX: &str = "rabita-tests.";

/// A directory that goes with the value.
///
/// What is held to the end of the process is not dropped: the next process that makes one removes the directories of
/// those that are gone.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty directory; `name` stands in its path.
    ///
    /// # Panics
    /// When the disk does not let it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        SWEPT.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}.{number}.{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the directory to a user of the machine, for servers that refuse to run as root.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn give_to(&self, user: &str) {
        let given = std::process::Command::new("chown").arg("-R").arg(user).arg(&self.0).status();
        assert!(given.is_ok_and(|status| status.success()), "cannot give a directory to `{user}`: is there such a user?");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A server that is just being killed may still write; what stays is swept later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('.').next());
        let is_left_over = owner
            .and_then(|owner| owner.parse::<u32>().ok())
            .is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists());
        if is_left_over {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
