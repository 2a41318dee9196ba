//! Batches as they are in the files of `wal/`: entries, and the checkpoint that the log has with them.
//!
//! A batch has no checksum of its own: its checkpoint is signed over the root of the tree that its entries make, so that
//! a batch of which a single byte differs is none.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::checkpoint::Checkpoint;
use super::frontier::Frontier;
use super::note::VerifierKey;
use super::proof::leaf_hash;
use super::tile;

const MAGIC: &[u8; 8] = b"RBATCH1\n";
const HEAD: usize = MAGIC.len() + 8 + 4 + 4 + 2;
/// A batch is closed once its entries have so many bytes, or so many of them are there.
pub(super) const BYTES_MAX: usize = 4 << 20;
pub(super) const COUNT_MAX: usize = 4_096;

/// The bytes of a batch whose first entry has this index.
pub(super) fn encode<'a>(first: u64, entries: impl ExactSizeIterator<Item = &'a Bytes>, note: &str) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("a batch is small");
    let mut bytes = vec![0; HEAD];
    entries.for_each(|entry| tile::encode_entry(entry, &mut bytes));
    let length = u32::try_from(bytes.len() - HEAD).expect("a batch is small");
    let note_length = u16::try_from(note.len()).expect("a checkpoint is small");
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&first.to_be_bytes());
    head.extend_from_slice(&count.to_be_bytes());
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&note_length.to_be_bytes());
    bytes[..HEAD].copy_from_slice(&head);
    bytes.extend_from_slice(note.as_bytes());
    bytes
}

/// A batch as it was read, of which nothing is known to be right but its form.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) first: u64,
    count: usize,
    entries: Bytes,
    note: String,
}

/// What a batch adds to a log.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) entries: Vec<Bytes>,
    /// The hashes that are new, with the levels of their tiles.
    pub(super) hashes: Vec<(u8, super::Hash)>,
    pub(super) frontier: Frontier,
    pub(super) checkpoint: Checkpoint,
}

impl Batch {
    /// Holds the batch against the tree before it. `None` where it is not what was written.
    pub(super) fn verified(&self, before: &Frontier, key: &VerifierKey) -> Option<Added> {
        let entries = tile::decode_entries(&self.entries, self.count)?;
        if self.first != before.size() || entries.is_empty() {
            return None;
        }
        let (mut frontier, mut hashes) = (before.clone(), Vec::new());
        for entry in &entries {
            grow(&mut frontier, leaf_hash(entry), &mut hashes);
        }
        let checkpoint = Checkpoint::verify_alone(&self.note, key).ok()?;
        let is_whole = (checkpoint.size, checkpoint.root) == (frontier.size(), frontier.root());
        let entries = entries.iter().map(|entry| self.entries.slice_ref(entry)).collect();
        is_whole.then_some(Added { entries, hashes, frontier, checkpoint })
    }

    /// The index after its last entry, as it says.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.count as u64)
    }

    /// Whether the log signed that it grew to this size, whatever became of the entries.
    fn is_signed(&self, key: &VerifierKey) -> bool {
        Checkpoint::verify(&self.note, key).is_ok_and(|checkpoint| checkpoint.size > self.first)
    }
}

/// Adds an entry's hash to the tree, and the hashes that tiles get by it to `hashes`.
pub(super) fn grow(frontier: &mut Frontier, leaf: super::Hash, hashes: &mut Vec<(u8, super::Hash)>) {
    hashes.push((0, leaf));
    frontier.push(leaf, |height, hash| {
        if height % tile::HEIGHT == 0 {
            hashes.push((u8::try_from(height / tile::HEIGHT).expect("a tree has at most 64 levels"), *hash));
        }
    });
}

/// The files of `wal/`, oldest first, with their numbers. What has no number is an error.
pub(super) fn files(wal: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(wal)? {
        let path = file?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(number);
        let number = number.ok_or_else(|| io::Error::other(format!("{} is not a file of batches", path.display())))?;
        files.push((number, path));
    }
    files.sort_unstable();
    Ok(files)
}

/// The name of a file of batches.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:010}")
}

fn number(name: &str) -> Option<u64> {
    name.parse().ok().filter(|number| file_name(*number) == name)
}

/// Reads batches from one file after the other.
#[derive(Debug)]
pub(super) struct Batches {
    waiting: VecDeque<PathBuf>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: BufReader<File>,
    length: u64,
    /// Where the next batch begins.
    at: u64,
}

/// A place in a file of batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) offset: u64,
}

impl Batches {
    pub(super) fn new(files: Vec<(u64, PathBuf)>) -> Self {
        Self { waiting: files.into_iter().map(|(_, path)| path).collect(), open: None }
    }

    /// The next batch and where it is; no batch where what is there has not the form of one.
    pub(super) fn next(&mut self) -> io::Result<Option<(Place, Option<Batch>)>> {
        loop {
            if let Some(open) = self.open.as_mut().filter(|open| open.at < open.length) {
                let place = Place { path: open.path.clone(), offset: open.at };
                let batch = read(&mut open.file, open.length - open.at)?;
                open.at = batch.as_ref().map_or(open.length, |(length, _)| open.at + length);
                return Ok(Some((place, batch.map(|(_, batch)| batch))));
            }
            let Some(path) = self.waiting.pop_front() else { return Ok(None) };
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            self.open = Some(Open { path, file: BufReader::with_capacity(1 << 20, file), length, at: 0 });
        }
    }
}

/// Whether what is there from a place on was never finished, and so never acknowledged: a batch is begun when the one
/// before it is durable, so that whatever has a later one behind it was whole once. Answers how many bytes it has.
/// `size` is that of the log before it.
pub(super) fn is_torn(place: &Place, size: u64, files: &[(u64, PathBuf)], key: &VerifierKey) -> io::Result<Option<u64>> {
    for (_, later) in files.iter().skip_while(|(_, path)| *path != place.path).skip(1) {
        if later.metadata()?.len() > 0 {
            return Ok(None);
        }
    }
    let mut file = File::open(&place.path)?;
    file.seek(SeekFrom::Start(place.offset))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let begins = rest.windows(MAGIC.len()).enumerate().filter(|(_, window)| window == MAGIC).map(|(at, _)| at);
    for at in begins {
        let mut bytes = &rest[at..];
        let length = bytes.len() as u64;
        let batch = read(&mut bytes, length)?;
        if batch.is_some_and(|(_, batch)| batch.first > size && batch.is_signed(key)) {
            return Ok(None);
        }
    }
    Ok(Some(rest.len() as u64))
}

/// A batch of at most so many bytes, and how many it has.
fn read(from: &mut impl Read, length: u64) -> io::Result<Option<(u64, Batch)>> {
    let mut head = [0; HEAD];
    if length < HEAD as u64 {
        return Ok(None);
    }
    from.read_exact(&mut head)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let (first, rest) = rest.split_first_chunk().expect("eight bytes are there");
    let (count, rest) = rest.split_first_chunk().expect("four bytes are there");
    let (entries_length, rest) = rest.split_first_chunk().expect("four bytes are there");
    let (note_length, _) = rest.split_first_chunk().expect("two bytes are there");
    let (first, count) = (u64::from_be_bytes(*first), u32::from_be_bytes(*count));
    let (entries_length, note_length) = (u32::from_be_bytes(*entries_length), u16::from_be_bytes(*note_length));
    let whole = HEAD as u64 + u64::from(entries_length) + u64::from(note_length);
    if magic != MAGIC || whole > length {
        return Ok(None);
    }
    let mut entries = vec![0; usize::try_from(entries_length).map_err(io::Error::other)?];
    from.read_exact(&mut entries)?;
    let mut note = vec![0; usize::from(note_length)];
    from.read_exact(&mut note)?;
    let Ok(note) = String::from_utf8(note) else { return Ok(None) };
    let count = usize::try_from(count).map_err(io::Error::other)?;
    Ok(Some((whole, Batch { first, count, entries: entries.into(), note })))
}
