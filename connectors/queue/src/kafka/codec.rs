//! The types of Kafka's protocol: how they are written, and how they are read from what may be anything.
//!
//! A length that was read is held against what is there before anything is made of it, so that no reply, however wrong,
//! can have memory taken for what it does not hold.

use bytes::{Buf, BufMut, Bytes};

/// What was read is not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) type Result<T> = std::result::Result<T, Malformed>;

/// What is still to be read of a message.
#[derive(Debug, Clone)]
pub(crate) struct Input(Bytes);

impl Input {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.0
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes> {
        if length > self.0.len() { Err(Malformed) } else { Ok(self.0.split_to(length)) }
    }

    pub(crate) fn int8(&mut self) -> Result<i8> {
        self.0.try_get_i8().map_err(|_| Malformed)
    }

    pub(crate) fn int16(&mut self) -> Result<i16> {
        self.0.try_get_i16().map_err(|_| Malformed)
    }

    pub(crate) fn int32(&mut self) -> Result<i32> {
        self.0.try_get_i32().map_err(|_| Malformed)
    }

    pub(crate) fn uint32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| Malformed)
    }

    pub(crate) fn int64(&mut self) -> Result<i64> {
        self.0.try_get_i64().map_err(|_| Malformed)
    }

    /// A zigzag number of variable length, of 64 bits at most.
    pub(crate) fn varint(&mut self) -> Result<i64> {
        let mut value: u64 = 0;
        for place in 0..10 {
            let byte = self.0.try_get_u8().map_err(|_| Malformed)?;
            value |= u64::from(byte & 0x7f).checked_shl(place * 7).ok_or(Malformed)?;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(Malformed)
    }

    /// A text; none where its length is -1.
    pub(crate) fn text(&mut self) -> Result<Option<String>> {
        let Some(length) = length_of(self.int16()?)? else { return Ok(None) };
        String::from_utf8(self.take(length)?.into()).map(Some).map_err(|_| Malformed)
    }

    /// Bytes; none where their length is -1.
    pub(crate) fn bytes(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = length_of(self.int32()?)? else { return Ok(None) };
        self.take(length).map(Some)
    }

    /// Bytes after a length of variable length; none where it is -1.
    pub(crate) fn varbytes(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = length_of(self.varint()?)? else { return Ok(None) };
        self.take(length).map(Some)
    }

    /// A list; an empty one where its length is -1.
    pub(crate) fn list<T>(&mut self, each: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let length = length_of(self.int32()?)?.unwrap_or_default();
        // The smallest thing has a byte. What each takes in memory is more, so memory is taken as they come.
        if length > self.len() {
            return Err(Malformed);
        }
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(each(self)?);
        }
        Ok(list)
    }
}

/// A length; none where it is -1, and no other negative one is a length.
fn length_of(length: impl Into<i64>) -> Result<Option<usize>> {
    match length.into() {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Malformed),
    }
}

/// A message that is being written.
#[derive(Debug, Default)]
pub(crate) struct Output(pub(crate) Vec<u8>);

impl Output {
    pub(crate) fn int8(&mut self, value: i8) {
        self.0.put_i8(value);
    }

    pub(crate) fn int16(&mut self, value: i16) {
        self.0.put_i16(value);
    }

    pub(crate) fn int32(&mut self, value: i32) {
        self.0.put_i32(value);
    }

    pub(crate) fn uint32(&mut self, value: u32) {
        self.0.put_u32(value);
    }

    pub(crate) fn int64(&mut self, value: i64) {
        self.0.put_i64(value);
    }

    pub(crate) fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest > 0x7f {
            self.0.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.put_u8(rest as u8);
    }

    /// A text of at most 32,767 bytes; what is longer is cut.
    pub(crate) fn text(&mut self, text: &str) {
        let bytes = &text.as_bytes()[..text.len().min(i16::MAX as usize)];
        self.0.put_i16(bytes.len() as i16);
        self.0.put_slice(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.put_slice(bytes);
    }

    /// Bytes after a length of variable length; none are -1.
    pub(crate) fn varbytes(&mut self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return self.varint(-1) };
        self.varint(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.0.put_slice(bytes);
    }

    pub(crate) fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.length(items.len());
        items.for_each(|item| each(self, item));
    }

    fn length(&mut self, length: usize) {
        self.0.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length_are_read_as_they_were_written() {
        for value in [0, -1, 1, 63, 64, -64, -65, 8191, 300_000, i64::from(i32::MIN), i64::MAX, i64::MIN] {
            let mut output = Output::default();
            output.varint(value);
            let mut input = Input::new(output.0.into());
            assert_eq!(input.varint(), Ok(value));
            assert!(input.is_empty());
        }
        assert_eq!(Input::new(Bytes::from_static(&[0xff; 11])).varint(), Err(Malformed));
    }

    #[test]
    fn takes_no_length_at_its_word() {
        let huge = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert_eq!(Input::new(huge.clone()).list(Input::int8), Err(Malformed));
        assert_eq!(Input::new(huge.clone()).bytes(), Err(Malformed));
        assert_eq!(Input::new(huge).text(), Err(Malformed));
        assert_eq!(Input::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff])).list(Input::int8), Ok(Vec::new()));
        assert_eq!(Input::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xfe])).list(Input::int8), Err(Malformed));
    }
}
