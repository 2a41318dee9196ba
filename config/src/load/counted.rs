//! The files that count: read once, and remembered by their digest as they were when they were read.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use super::Loader;
use crate::country::CountedFile;

impl Loader<'_> {
    /// The content of a file that counts, and the message that tells why it cannot be read.
    pub(super) fn counted(&mut self, file: &Path, is_secret: bool) -> Result<Vec<u8>, String> {
        self.count(file, is_secret).map_err(|error| format!("{} cannot be read: {error}", file.display()))
    }

    pub(super) fn count(&mut self, file: &Path, is_secret: bool) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(self.directory.join(file))?;
        let sha256 = digest::digest(&digest::SHA256, &bytes);
        let sha256 = sha256.as_ref().try_into().expect("SHA-256 has 32 bytes");
        self.files.insert(file.to_owned(), CountedFile { file: file.to_owned(), sha256, is_secret });
        Ok(bytes)
    }

    /// Counts the files of a folder that others read, such as schemas.
    pub(super) fn count_folder(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(self.directory.join(folder)) else { return };
        let mut names: Vec<PathBuf> = entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
        names.sort();
        for name in names {
            if self.directory.join(&name).is_dir() {
                self.count_folder(&name);
            } else {
                // What cannot be read was told by whoever needs it.
                let _ = self.count(&name, false);
            }
        }
    }
}
