//! What is asked of the ledger: its log as C2SP tlog-tiles has it, single entries, proofs, and cosignatures.
//!
//! Paths of tiles are those of <https://c2sp.org/tlog-tiles>: one tile has one path, so a number with needless zeroes is
//! [`rabita_model::Code::RouteAbsent`].

use http::Method;
use http::request::Parts;
use rabita_model::{Code, ExchangeId, Fault, Refusal};

use super::bus::Parameters;
use super::{invalid, without_parameters};

/// The tiles of a level and the bundles of entries hold so many items when they are full.
const FULL: u16 = 256;
/// The highest level of tiles.
const LEVEL_MAX: u8 = 63;
/// Longer than the lines of any checkpoint with as many cosignatures as there may be.
const NOTE_MAX: usize = 65_536;

/// What of the ledger is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerRoute {
    /// `/bus/ledger/checkpoint`.
    Checkpoint,
    /// `/bus/ledger/key`: the verifier key of the checkpoint's signature.
    Key,
    /// `/bus/ledger/tile/{level}/{n}`, `/bus/ledger/tile/entries/{n}`.
    Tile(Tile),
    /// `/bus/ledger/entries/{index}`.
    Entry(u64),
    /// `/bus/ledger/proof?index=&size=`; without a size, in the newest checkpoint.
    Inclusion { index: u64, size: Option<u64> },
    /// `/bus/ledger/proof?exchange=`: of every entry of an exchange, in the newest checkpoint.
    OfExchange(ExchangeId),
    /// `/bus/ledger/consistency?from=&to=`; without `to`, up to the newest checkpoint.
    Consistency { from: u64, to: Option<u64> },
    /// `GET /bus/ledger/cosignatures`: what each witness cosigned last.
    Cosignatures,
    /// `POST /bus/ledger/cosignatures`: a checkpoint as a signed note, with lines of witnesses.
    Cosign(String),
}

impl LedgerRoute {
    /// Whether it tells what entries say, and not only their hashes: who asked whom for what, which not everybody may know.
    #[must_use]
    pub const fn reads_entries(&self) -> bool {
        matches!(self, Self::Entry(_) | Self::Tile(Tile { level: None, .. }))
    }
}

/// A tile of hashes, or a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// The level; `None` for a bundle of entries.
    pub level: Option<u8>,
    /// Its index within the level.
    pub n: u64,
    /// How many hashes or entries it holds: 256 when it is full.
    pub width: u16,
}

impl Tile {
    /// Whether it will never change.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == FULL
    }
}

/// A path below `/bus/ledger`.
pub(super) enum LedgerPath {
    Checkpoint,
    Key,
    Tile(Tile),
    Entry(u64),
    Proof,
    Consistency,
    Cosignatures,
}

impl LedgerPath {
    /// `None` where the ledger has no such path.
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["checkpoint"] => Self::Checkpoint,
            ["key"] => Self::Key,
            ["tile", level, rest @ ..] => Self::Tile(tile(level, rest)?),
            ["entries", index] => Self::Entry(number(index)?),
            ["proof"] => Self::Proof,
            ["consistency"] => Self::Consistency,
            ["cosignatures"] => Self::Cosignatures,
            _ => return None,
        })
    }

    pub(super) const fn allow(&self) -> &'static str {
        match self {
            Self::Cosignatures => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }

    pub(super) const fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Checkpoint | Self::Key => &["text/plain"],
            Self::Tile(_) => &["application/octet-stream"],
            Self::Entry(_) | Self::Proof | Self::Consistency | Self::Cosignatures => &["application/json"],
        }
    }

    /// The route, with what the URL's parameters or the body say.
    pub(super) fn route(self, head: &Parts, body: &[u8]) -> Result<LedgerRoute, Refusal> {
        let route = match self {
            Self::Proof => return proof(head),
            Self::Consistency => return consistency(head),
            Self::Checkpoint => LedgerRoute::Checkpoint,
            Self::Key => LedgerRoute::Key,
            Self::Tile(tile) => LedgerRoute::Tile(tile),
            Self::Entry(index) => LedgerRoute::Entry(index),
            Self::Cosignatures if head.method == Method::POST => LedgerRoute::Cosign(note(head, body)?),
            Self::Cosignatures => LedgerRoute::Cosignatures,
        };
        without_parameters(&head.uri).map(|()| route)
    }
}

fn proof(head: &Parts) -> Result<LedgerRoute, Refusal> {
    let mut faults = Vec::new();
    let mut parameters = Parameters::of(&head.uri, &mut faults)?;
    let index = parameters.take("index", "type", "the index of an entry, a whole number", number);
    let size = parameters.take("size", "type", "the size of a checkpoint, a whole number", number);
    let exchange = parameters.take("exchange", "format", "the id of an exchange, a UUID", |text| text.parse().ok());
    parameters.end(&["index", "size", "exchange"]);
    if faults.is_empty() {
        match (index, size, exchange) {
            (Some(index), size, None) => return Ok(LedgerRoute::Inclusion { index, size }),
            (None, None, Some(exchange)) => return Ok(LedgerRoute::OfExchange(exchange)),
            _ => faults.push(Fault::parameter("index", "required", "either `index`, with or without `size`, or `exchange`")),
        }
    }
    Err(invalid(faults))
}

fn consistency(head: &Parts) -> Result<LedgerRoute, Refusal> {
    let mut faults = Vec::new();
    let mut parameters = Parameters::of(&head.uri, &mut faults)?;
    let from = parameters.take("from", "type", "the size of the older checkpoint, a whole number", number);
    let to = parameters.take("to", "type", "the size of the newer checkpoint, a whole number", number);
    parameters.end(&["from", "to"]);
    match from {
        Some(from) if faults.is_empty() => return Ok(LedgerRoute::Consistency { from, to }),
        None if faults.is_empty() => {
            faults.push(Fault::parameter("from", "required", "`from` has to be given: the size of the older checkpoint"));
        }
        _ => {}
    }
    Err(invalid(faults))
}

fn note(head: &Parts, body: &[u8]) -> Result<String, Refusal> {
    super::headers::text_type(&head.headers)?;
    if body.len() > NOTE_MAX {
        return Err(Code::BodyTooLarge.into());
    }
    String::from_utf8(body.to_vec()).map_err(|_| super::malformed("a signed note is UTF-8"))
}

fn tile(level: &str, rest: &[&str]) -> Option<Tile> {
    let level = match level {
        "entries" => None,
        level => Some(u8::try_from(number(level)?).ok().filter(|level| *level <= LEVEL_MAX)?),
    };
    let (digits, width) = match rest {
        // `067.p/12` is two segments, the first of which ends in `.p`.
        [upper @ .., last, width] if last.ends_with(".p") => {
            let width = u16::try_from(number(width)?).ok().filter(|width| (1..FULL).contains(width))?;
            (upper.iter().copied().chain(last.strip_suffix(".p")).collect::<Vec<_>>(), width)
        }
        _ => (rest.to_vec(), FULL),
    };
    Some(Tile { level, n: tile_index(&digits)?, width })
}

/// `x001/x234/067` is 1234067.
fn tile_index(segments: &[&str]) -> Option<u64> {
    let (last, upper) = segments.split_last()?;
    let mut index = 0_u64;
    for (position, segment) in upper.iter().enumerate() {
        let digits = segment.strip_prefix('x').filter(|digits| position > 0 || *digits != "000")?;
        index = index.checked_mul(1_000)?.checked_add(three_digits(digits)?)?;
    }
    index.checked_mul(1_000)?.checked_add(three_digits(last)?)
}

fn three_digits(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A number in its one form: no sign, no zero before it.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile_of(path: &str) -> Option<Tile> {
        match LedgerPath::parse(&path.split('/').collect::<Vec<_>>())? {
            LedgerPath::Tile(tile) => Some(tile),
            _ => None,
        }
    }

    #[test]
    fn a_tile_has_one_path() {
        let tile = |level, n, width| Some(Tile { level, n, width });
        assert_eq!(tile_of("tile/0/x001/x234/067"), tile(Some(0), 1_234_067, 256));
        assert_eq!(tile_of("tile/63/000"), tile(Some(63), 0, 256));
        assert_eq!(tile_of("tile/1/000.p/1"), tile(Some(1), 0, 1));
        assert_eq!(tile_of("tile/entries/x001/000.p/255"), tile(None, 1_000, 255));
        for wrong in [
            "tile/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/000.p",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000/12",
            "tile/0/+01",
            "tile/data/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(tile_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(["0", "7", "18446744073709551615"].map(number), [Some(0), Some(7), Some(u64::MAX)]);
        for wrong in ["", "00", "01", "-1", "+1", "1.0", "18446744073709551616", "١"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
