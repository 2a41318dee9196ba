//! Controls: what a request asks besides, and an answer tells besides.

use bytes::BytesMut;
use lber::structure::StructureTag;

use super::Filter;
use super::ber::{self, Parts, Wrong};
use super::filter::{decode as decode_filter, encode as encode_filter};

/// A control (RFC 4511, section 4.1.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) oid: String,
    pub(crate) critical: bool,
    pub(crate) value: Option<Vec<u8>>,
}

/// Simple paged results (RFC 2696).
pub(crate) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// A condition that the server checks in the same step as the change (RFC 4528).
pub(crate) const ASSERTION: &str = "1.3.6.1.1.12";

impl Control {
    /// Asks for a part of the results, or tells where the next part begins: an empty cookie is on the last.
    ///
    /// Not critical: a server that knows no pages may give everything at once, or say that it is too much.
    pub(crate) fn paged_results(size: i32, cookie: Vec<u8>) -> Self {
        let value = ber::sequence(vec![ber::integer(size), ber::octets(cookie)]);
        Self { oid: PAGED_RESULTS.to_owned(), critical: false, value: Some(encoded(value)) }
    }

    /// Lets the change be done only where the filter holds for its entry.
    pub(crate) fn assertion(filter: &Filter) -> Self {
        Self { oid: ASSERTION.to_owned(), critical: true, value: Some(encoded(encode_filter(filter))) }
    }

    /// Size and cookie of paged results.
    pub(crate) fn page(&self) -> Result<(i32, Vec<u8>), Wrong> {
        const WHAT: Wrong = "the control for pages";
        let mut parts = Parts::of(self.decoded(WHAT)?, WHAT)?;
        Ok((parts.number()?, parts.octets()?))
    }

    /// The filter of an assertion.
    pub(crate) fn asserted(&self) -> Result<Filter, Wrong> {
        decode_filter(self.decoded("the control with an assertion")?, 0)
    }

    fn decoded(&self, what: Wrong) -> Result<StructureTag, Wrong> {
        let value = self.value.as_deref().ok_or(what)?;
        super::frame::parse(value).ok_or(what)
    }
}

fn encoded(tag: StructureTag) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    super::encode::into(&mut buffer, tag);
    buffer.to_vec()
}
