//! `rabita check --against`: the configuration as it was, from git or from a directory, against what is there now.

use std::path::{Component, Path};
use std::process::{Command, Output};

use rabita_config::Report;

use crate::command::Failed;

/// What the contract is made of; nothing else of the earlier configuration is looked at.
const PARTS: [&str; 2] = ["registries", "schemas"];

/// What breaks callers of the earlier configuration.
pub(super) fn compared(directory: &Path, earlier: &str) -> Result<Report, Failed> {
    if Path::new(earlier).is_dir() {
        return Ok(rabita_config::compatible(directory, Path::new(earlier), earlier).unwrap_or_else(|unreadable| unreadable));
    }
    let tree = Tree::at(directory, earlier)?;
    let scratch = tempfile::tempdir()?;
    tree.write(scratch.path())?;
    Ok(rabita_config::compatible(directory, scratch.path(), earlier).unwrap_or_else(|unreadable| unreadable))
}

/// A directory as of a revision. Git is only asked; nothing in the work tree is touched.
struct Tree<'a> {
    directory: &'a Path,
    /// The commit's full name: it cannot be taken for an option.
    commit: String,
}

impl<'a> Tree<'a> {
    fn at(directory: &'a Path, revision: &str) -> Result<Self, Failed> {
        let inside = git(directory, &["rev-parse", "--is-inside-work-tree"])?;
        if !inside.status.success() {
            return Err(format!(
                "{} lies in no work tree of git, so there is no revision `{revision}` of it; name a directory in place of a revision",
                directory.display()
            )
            .into());
        }
        let commit = format!("{revision}^{{commit}}");
        let found = git(directory, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        if !found.status.success() {
            return Err(format!("git knows no revision `{revision}`, and no such directory is there").into());
        }
        Ok(Self { directory, commit: String::from_utf8(found.stdout)?.trim().to_owned() })
    }

    /// Writes the files that count into another directory.
    fn write(&self, to: &Path) -> Result<(), Failed> {
        let listed = done(git(self.directory, &[&["ls-tree", "-r", "-z", &self.commit, "--"], &PARTS[..]].concat())?)?;
        let listed = String::from_utf8(listed).map_err(|_| "git lists a file whose name is not UTF-8")?;
        let mut found = false;
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let (about, path) = entry.split_once('\t').ok_or("git's list of files has another form than is known")?;
            let mut words = about.split(' ');
            let (Some(mode), Some("blob"), Some(blob)) = (words.next(), words.next(), words.next()) else { continue };
            if !mode.starts_with("100") || !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
                continue;
            }
            let file = to.join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(to))?;
            std::fs::write(file, done(git(self.directory, &["cat-file", "blob", blob])?)?)?;
            found = true;
        }
        if found {
            return Ok(());
        }
        let short: String = self.commit.chars().take(12).collect();
        Err(format!("{} has no registries in commit {short}: there is nothing to compare with", self.directory.display()).into())
    }
}

fn git(directory: &Path, words: &[&str]) -> Result<Output, Failed> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(words).env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    command.output().map_err(|error| format!("`--against` with a revision needs the program git: {error}").into())
}

fn done(output: Output) -> Result<Vec<u8>, Failed> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("git said: {}", said.lines().next().unwrap_or("nothing")).into())
}
