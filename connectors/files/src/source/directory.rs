//! A directory of this machine, or one that the operating system makes look like one.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Away, Candidate, Origin, Wants};

/// A directory in which an agency puts files.
pub struct Directory(pub PathBuf);

#[async_trait::async_trait]
impl Origin for Directory {
    async fn list(&self, wants: &Wants<'_>) -> Result<Vec<Candidate>, Away> {
        let away = |error: std::io::Error| format!("the directory {} can't be read: {}", self.0.display(), error.kind());
        let mut entries = tokio::fs::read_dir(&self.0).await.map_err(away)?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(away)? {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !wants(&name) {
                continue;
            }
            // One that went away since is no candidate.
            let Ok(told) = tokio::fs::metadata(entry.path()).await else { continue };
            if !told.is_file() {
                continue;
            }
            let age = told.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default().as_nanos();
            found.push(Candidate { name, stamp: format!("{}:{age}:{}", told.len(), number(&told)), age });
        }
        Ok(found)
    }

    async fn fetch(&self, file: &Candidate, _staging: &Path) -> Result<PathBuf, Away> {
        Ok(self.0.join(&file.name))
    }
}

/// The file's number, so that one put in the place of another is another.
#[cfg(unix)]
fn number(told: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(told)
}

#[cfg(not(unix))]
const fn number(_told: &std::fs::Metadata) -> u64 {
    0
}
