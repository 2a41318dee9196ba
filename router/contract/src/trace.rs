//! W3C Trace Context: `traceparent` in, and the one of the bus's own part of the trace out.
//!
//! A header that is not well-formed, or stands twice, counts as absent, as the recommendation has it: a trace never
//! fails a request. Randomness is the caller's to give.

use std::fmt;

use http::HeaderMap;

const HEADER: &str = "traceparent";
/// The length of version `00`, and the least of any later version.
const LENGTH: usize = 55;
/// The `sampled` flag, the only one of version `00`.
const SAMPLED: u8 = 1;

/// A position in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub sampled: bool,
}

impl TraceParent {
    /// The caller's position, where the headers have it.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(HEADER).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.to_str().ok()?)
    }

    /// Reads `00-{trace id}-{parent id}-{flags}`, and of later versions the part that is the same.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let version: [u8; 1] = hex(bytes.get(..2)?)?;
        let is_whole = match version {
            [0] => bytes.len() == LENGTH,
            [0xff] => false,
            _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
        };
        if !is_whole || [2, 35, 52].iter().any(|dash| bytes.get(*dash) != Some(&b'-')) {
            return None;
        }
        let trace_id = hex(bytes.get(3..35)?).filter(|id| *id != [0; 16])?;
        let span_id = hex(bytes.get(36..52)?).filter(|id| *id != [0; 8])?;
        let [flags] = hex(bytes.get(53..55)?)?;
        Some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }

    /// A position below this one.
    #[must_use]
    pub fn child(self, random: [u8; 8]) -> Self {
        Self { span_id: no_zeros(random), ..self }
    }

    /// The beginning of a trace.
    #[must_use]
    pub fn root(trace: [u8; 16], span: [u8; 8], sampled: bool) -> Self {
        Self { trace_id: no_zeros(trace), span_id: no_zeros(span), sampled }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

/// An id of zeros alone is invalid.
fn no_zeros<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

/// Lower-case hexadecimal digits only.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != N * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_child_keeps_the_trace_and_gets_a_span_of_its_own() {
        let caller = TraceParent::parse(CALLER).expect("a traceparent");
        assert_eq!(caller.to_string(), CALLER);
        let child = caller.child([0xab; 8]).to_string();
        assert_eq!(child, "00-4bf92f3577b34da6a3ce929d0e0e4736-abababababababab-01");
    }

    #[test]
    fn takes_later_versions_as_far_as_they_are_the_same() {
        assert!(TraceParent::parse(&CALLER.replacen("00", "cc", 1)).is_some());
        assert!(TraceParent::parse(&format!("{}-more", CALLER.replacen("00", "cc", 1))).is_some());
    }

    #[test]
    fn counts_what_is_not_well_formed_as_absent() {
        let bad = [
            String::new(),
            CALLER.to_uppercase(),
            format!("{CALLER}-more"),
            CALLER.replacen("00", "ff", 1),
            CALLER.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            CALLER.replace("00f067aa0ba902b7", &"0".repeat(16)),
            CALLER.replace("-01", "_01"),
        ];
        for text in bad {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn never_draws_an_id_of_zeros() {
        let root = TraceParent::root([0; 16], [0; 8], false);
        assert_eq!(TraceParent::parse(&root.to_string()), Some(root));
    }
}
