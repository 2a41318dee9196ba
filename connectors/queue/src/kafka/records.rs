//! Batches of records, as they lie in a topic since Kafka 0.11.
//!
//! Source: the message format of Apache Kafka, version 2.

use std::collections::BTreeSet;
use std::io::Read;

use bytes::Bytes;
use crc::{CRC_32_ISCSI, Crc};

use super::codec::{Input, Malformed, Output, Result};
use super::messages::Aborted;

/// The version of the format, and where in a batch it stands.
const FORMAT: i8 = 2;
/// Of a batch's attributes.
const COMPRESSION: i16 = 0b111;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
/// The kind of a control record that says that the transaction was taken back; it stands behind a version in the key.
const ABORT: i16 = 0;
/// The length and all before it.
const PREFIX_BYTES: usize = 12;

const SUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// A record, as far as the bus looks at it: its value, and the header that says whose reply it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) correlation: Option<Bytes>,
}

/// The header by which Spring's replying templates, and others after them, find whose reply it is.
pub(crate) const CORRELATION: &str = "kafka_correlationId";

/// One record to be written.
pub(crate) struct Draft<'a> {
    pub(crate) key: Option<&'a str>,
    pub(crate) value: &'a [u8],
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// Milliseconds since 1970.
    pub(crate) time_ms: i64,
}

impl Draft<'_> {
    /// A batch of this record alone.
    pub(crate) fn batch(&self) -> Vec<u8> {
        let mut record = Output::default();
        record.int8(0);
        record.varint(0);
        record.varint(0);
        record.varbytes(self.key.map(str::as_bytes));
        record.varbytes(Some(self.value));
        record.varint(i64::try_from(self.headers.len()).unwrap_or_default());
        for (name, value) in self.headers {
            record.varbytes(Some(name.as_bytes()));
            record.varbytes(Some(value.as_bytes()));
        }
        let mut summed = Output::default();
        summed.int16(0);
        summed.int32(0);
        summed.int64(self.time_ms);
        summed.int64(self.time_ms);
        // No transaction, and no producer that numbers what it writes: nothing is sent twice.
        summed.int64(-1);
        summed.int16(-1);
        summed.int32(-1);
        summed.int32(1);
        summed.varbytes(Some(&record.0));
        let mut batch = Output::default();
        batch.int64(0);
        // The leader's epoch, the format and the sum stand before what is summed.
        batch.int32(i32::try_from(summed.0.len() + 9).unwrap_or(i32::MAX));
        batch.int32(-1);
        batch.int8(FORMAT);
        batch.uint32(SUM.checksum(&summed.0));
        batch.0.extend(summed.0);
        batch.0
    }
}

/// Hands over the records from a place on that were committed, of what was fetched; the place after the last. `most_bytes` is
/// the most that a batch may come to when it is unpacked: one that is more, or that is not what it says, is passed over.
///
/// # Errors
/// When what was fetched does not consist of sound batches.
pub(crate) fn read(
    batches: Bytes,
    from: i64,
    aborted: &[Aborted],
    most_bytes: usize,
    mut each: impl FnMut(Record),
) -> Result<i64> {
    let mut input = Input::new(batches);
    let mut aborted: Vec<Aborted> = aborted.to_vec();
    aborted.sort_unstable_by_key(|aborted| std::cmp::Reverse(aborted.first));
    let mut taken_back = BTreeSet::new();
    let mut next = from;
    while let Some(batch) = Batch::read(&mut input)? {
        while let Some(began) = aborted.pop_if(|began| began.first <= batch.last) {
            taken_back.insert(began.producer);
        }
        next = next.max(batch.last.checked_add(1).ok_or(Malformed)?);
        let producer = batch.producer;
        if batch.attributes & CONTROL != 0 {
            let mut kind = None;
            batch.records(most_bytes, |_, mark| kind = mark.key.and_then(|key| key.get(2..4).map(<[u8]>::to_vec)))?;
            if kind.ok_or(Malformed)? == ABORT.to_be_bytes() {
                taken_back.remove(&producer);
            }
        } else if batch.attributes & TRANSACTIONAL == 0 || !taken_back.contains(&producer) {
            // Whole batches come, also where the place that was asked for is within one.
            let read = batch.records(most_bytes, |offset, record| {
                if offset >= from {
                    each(record)
                }
            });
            if read.is_err() {
                tracing::debug!(next, "a batch on the topic of replies can't be read");
            }
        }
    }
    Ok(next)
}

struct Batch {
    base: i64,
    last: i64,
    attributes: i16,
    producer: i64,
    count: usize,
    records: Bytes,
}

impl Batch {
    /// The next batch; none where the rest is not a whole one, which is asked for again.
    fn read(input: &mut Input) -> Result<Option<Self>> {
        if input.len() < PREFIX_BYTES {
            return Ok(None);
        }
        let (base, length) = (input.int64()?, usize::try_from(input.int32()?).map_err(|_| Malformed)?);
        if length > input.len() {
            return Ok(None);
        }
        let mut batch = Input::new(input.take(length)?);
        let (_epoch, format, sum) = (batch.int32()?, batch.int8()?, batch.uint32()?);
        if format != FORMAT || SUM.checksum(batch.rest()) != sum {
            return Err(Malformed);
        }
        let attributes = batch.int16()?;
        let last = base.checked_add(i64::from(batch.int32()?)).ok_or(Malformed)?;
        let (_first_time, _last_time) = (batch.int64()?, batch.int64()?);
        let (producer, _epoch, _sequence) = (batch.int64()?, batch.int16()?, batch.int32()?);
        let count = usize::try_from(batch.int32()?).map_err(|_| Malformed)?;
        let records = batch.take(batch.len())?;
        Ok(Some(Self { base, last, attributes, producer, count, records }))
    }

    /// Hands over the records, each with its place.
    fn records(self, most_bytes: usize, mut each: impl FnMut(i64, Record)) -> Result<()> {
        let mut input = Input::new(unpacked(self.attributes & COMPRESSION, self.records, most_bytes)?);
        for _ in 0..self.count {
            let (offset, record) = record(&mut input, self.base)?;
            each(offset, record);
        }
        Ok(())
    }
}

fn record(input: &mut Input, base: i64) -> Result<(i64, Record)> {
    let mut input = Input::new(input.varbytes()?.ok_or(Malformed)?);
    let (_attributes, _time) = (input.int8()?, input.varint()?);
    let offset = base.checked_add(input.varint()?).ok_or(Malformed)?;
    let (key, value) = (input.varbytes()?, input.varbytes()?);
    let mut correlation = None;
    for _ in 0..input.varint()? {
        let (name, value) = (input.varbytes()?.ok_or(Malformed)?, input.varbytes()?);
        if name == CORRELATION && correlation.is_none() {
            correlation = value;
        }
    }
    Ok((offset, Record { key, value, correlation }))
}

/// Every kind of compression that Kafka has, by its number.
fn unpacked(compression: i16, packed: Bytes, most_bytes: usize) -> Result<Bytes> {
    match compression {
        0 => Ok(packed),
        1 => drain(flate2::read::MultiGzDecoder::new(&*packed), most_bytes),
        2 => unpacked_snappy(packed, most_bytes),
        3 => drain(lz4_flex::frame::FrameDecoder::new(&*packed), most_bytes),
        4 => {
            let window = most_bytes as u64;
            let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&*packed, window);
            drain(decoder.map_err(|_| Malformed)?, most_bytes)
        }
        _ => Err(Malformed),
    }
}

fn drain(from: impl Read, most_bytes: usize) -> Result<Bytes> {
    let mut unpacked = Vec::new();
    let read = from.take(most_bytes as u64 + 1).read_to_end(&mut unpacked).map_err(|_| Malformed)?;
    if read > most_bytes { Err(Malformed) } else { Ok(unpacked.into()) }
}

/// The clients of Java cut what they pack with snappy into blocks, behind a head of 16 bytes; others do not.
fn unpacked_snappy(packed: Bytes, most_bytes: usize) -> Result<Bytes> {
    const HEAD: &[u8] = b"\x82SNAPPY\0";
    const HEAD_BYTES: usize = 16;
    if !packed.starts_with(HEAD) {
        return block(&packed, most_bytes).map(Bytes::from);
    }
    let mut input = Input::new(packed);
    input.take(HEAD_BYTES)?;
    let mut whole = Vec::new();
    while !input.is_empty() {
        let next = input.bytes()?.ok_or(Malformed)?;
        whole.extend(block(&next, most_bytes - whole.len())?);
    }
    Ok(whole.into())
}

fn block(packed: &[u8], most_bytes: usize) -> Result<Vec<u8>> {
    let length = snap::raw::decompress_len(packed).map_err(|_| Malformed)?;
    if length > most_bytes {
        return Err(Malformed);
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 1 << 20;

    type Pack<'a> = dyn Fn(&[u8]) -> Vec<u8> + 'a;

    fn draft<'a>(key: &'a str, value: &'a [u8]) -> Draft<'a> {
        Draft { key: Some(key), value, headers: &[("a", "1"), (CORRELATION, "id"), ("b", "")], time_ms: 1_700_000_000_000 }
    }

    fn record_of(key: &str, value: &[u8]) -> Record {
        Record {
            key: Some(key.to_owned().into()),
            value: Some(value.to_vec().into()),
            correlation: Some(Bytes::from_static(b"id")),
        }
    }

    fn read(batches: Vec<u8>, from: i64, aborted: &[Aborted], most_bytes: usize) -> Result<(Vec<Record>, i64)> {
        let mut records = Vec::new();
        let next = super::read(batches.into(), from, aborted, most_bytes, |record| records.push(record))?;
        Ok((records, next))
    }

    /// As the broker lays it down: at a place, by a producer, and packed otherwise.
    fn laid(batch: &[u8], base: i64, producer: i64, attributes: i16, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        const RECORDS: usize = 61;
        let mut summed = batch[21..RECORDS].to_vec();
        summed[..2].copy_from_slice(&attributes.to_be_bytes());
        summed[22..30].copy_from_slice(&producer.to_be_bytes());
        summed.extend(pack(&batch[RECORDS..]));
        let mut laid = Output::default();
        laid.int64(base);
        laid.int32(i32::try_from(summed.len() + 9).expect("a length"));
        laid.int32(0);
        laid.int8(FORMAT);
        laid.uint32(SUM.checksum(&summed));
        laid.0.extend(summed);
        laid.0
    }

    fn as_it_is(records: &[u8]) -> Vec<u8> {
        records.to_vec()
    }

    #[test]
    fn a_record_is_read_as_it_was_written_however_it_was_packed() {
        let value = b"a value, a value, a value".repeat(9);
        let gzip = |records: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(records).expect("memory");
            packer.finish().expect("memory")
        };
        let snappy = |records: &[u8]| snap::raw::Encoder::new().compress_vec(records).expect("memory");
        let snappy_of_java = |records: &[u8]| {
            let mut whole = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for block in records.chunks(100) {
                let packed = snappy(block);
                whole.extend(u32::try_from(packed.len()).expect("a length").to_be_bytes());
                whole.extend(packed);
            }
            whole
        };
        let lz4 = |records: &[u8]| {
            let mut packer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            packer.write_all(records).expect("memory");
            packer.finish().expect("memory")
        };
        let zstd = |records: &[u8]| ruzstd::encoding::compress_to_vec(records, ruzstd::encoding::CompressionLevel::Fastest);
        let packers: [(i16, &Pack<'_>); 6] =
            [(0, &as_it_is), (1, &gzip), (2, &snappy), (2, &snappy_of_java), (3, &lz4), (4, &zstd)];
        let batch = draft("k", &value).batch();
        for (compression, pack) in packers {
            let laid = laid(&batch, 41, -1, compression, pack);
            let found = read(laid.clone(), 41, &[], MOST).expect("a batch");
            assert_eq!(found, (vec![record_of("k", &value)], 42), "{compression}");
            // What would fill memory is not unpacked, and what comes behind it is read.
            let behind = [laid, self::laid(&draft("2", b"two").batch(), 42, -1, 0, as_it_is)].concat();
            let (records, next) = read(behind, 41, &[], 100).expect("batches");
            let passed_over = usize::from(compression != 0);
            assert_eq!((records.len(), next), (2 - passed_over, 43), "{compression}");
        }
    }

    #[test]
    fn reads_on_after_what_is_not_whole_and_leaves_out_what_was_read_before() {
        let first = laid(&draft("1", b"one").batch(), 7, -1, 0, as_it_is);
        let second = laid(&draft("2", b"two").batch(), 8, -1, 0, as_it_is);
        let whole = [first.clone(), second.clone()].concat();
        let found = read(whole.clone(), 8, &[], MOST).expect("batches");
        assert_eq!(found, (vec![record_of("2", b"two")], 9));
        for length in first.len()..whole.len() {
            let found = read(whole[..length].to_vec(), 7, &[], MOST).expect("batches");
            assert_eq!(found, (vec![record_of("1", b"one")], 8), "{length}");
        }
        assert_eq!(read(Vec::new(), 7, &[], MOST), Ok((Vec::new(), 7)));
    }

    proptest! {
        /// Of a batch whose sum is right: a broker may send what it likes.
        #[test]
        fn nothing_that_a_broker_lays_down_does_harm(
            attributes in any::<i16>(),
            count in any::<i32>(),
            places in vec((0..200_usize, any::<u8>()), 0..6),
        ) {
            let mut batch = draft("key", b"value").batch();
            batch[57..61].copy_from_slice(&count.to_be_bytes());
            let turn = |records: &[u8]| {
                let mut turned = records.to_vec();
                for (place, byte) in &places {
                    let length = turned.len();
                    turned[place % length] = *byte;
                }
                turned
            };
            let _ = read(laid(&batch, i64::MAX - 1, 1, attributes, turn), 0, &[], MOST);
        }
    }

    #[test]
    fn what_was_taken_back_is_not_read() {
        let of =
            |value: &[u8], base, producer, attributes| laid(&draft("k", value).batch(), base, producer, attributes, as_it_is);
        // A control record's key is the version and the kind.
        let mark = |kind: i16, base, producer| {
            let key = String::from_utf8([0_i16.to_be_bytes(), kind.to_be_bytes()].concat()).expect("UTF-8");
            laid(
                &Draft { key: Some(&key), value: b"", headers: &[], time_ms: 0 }.batch(),
                base,
                producer,
                TRANSACTIONAL | CONTROL,
                as_it_is,
            )
        };
        let lying = [
            of(b"taken back", 0, 5, TRANSACTIONAL),
            of(b"of another", 1, 6, TRANSACTIONAL),
            of(b"of nobody", 2, -1, 0),
            mark(ABORT, 3, 5),
            of(b"again", 4, 5, TRANSACTIONAL),
            mark(1, 5, 5),
            mark(1, 6, 6),
        ];
        let (records, next) = read(lying.concat(), 0, &[Aborted { producer: 5, first: 0 }], MOST).expect("batches");
        let values: Vec<_> = records.iter().filter_map(|record| record.value.as_deref()).collect();
        assert_eq!(values, [&b"of another"[..], b"of nobody", b"again"]);
        assert_eq!(next, 7);
    }

    #[test]
    fn no_byte_that_is_turned_goes_unseen() {
        let laid = laid(&draft("k", b"value").batch(), 3, -1, 0, as_it_is);
        assert_eq!(read(laid.clone(), 3, &[], MOST), Ok((vec![record_of("k", b"value")], 4)));
        for place in 0..laid.len() {
            let mut turned = laid.clone();
            turned[place] ^= 0x55;
            match read(turned, 3, &[], MOST) {
                Err(Malformed) => {}
                // A batch that says that it is longer is not whole.
                Ok((records, 3)) if (8..12).contains(&place) => assert_eq!(records, []),
                // The place of a batch and its leader's epoch are set by the broker and not summed.
                Ok(_) => assert!(!(8..12).contains(&place) && place < 16, "{place}"),
            }
        }
    }
}
