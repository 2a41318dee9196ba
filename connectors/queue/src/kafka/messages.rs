//! The requests that are made of the brokers, in versions that Kafka has spoken since 0.11 and speaks in 4, and their
//! answers.
//!
//! Source: the protocol guide of Apache Kafka.

use bytes::Bytes;

use super::codec::{Input, Output, Result};

/// A request to a broker.
pub(crate) trait Ask: Send + Sync {
    const KEY: i16;
    const VERSION: i16;
    type Answer: Send;

    fn write(&self, output: &mut Output);

    /// # Errors
    /// When the answer is not what the protocol says.
    fn read(input: &mut Input) -> Result<Self::Answer>;
}

/// What follows is of this one topic.
fn of_one_topic(output: &mut Output, topic: &str) {
    output.int32(1);
    output.text(topic);
}

/// What is said of each partition. Only one topic is ever asked for.
fn partitions<T>(input: &mut Input, each: impl Fn(&mut Input) -> Result<T>) -> Result<Vec<T>> {
    let topics = input.list(|input| {
        let _name = input.text()?;
        input.list(&each)
    })?;
    Ok(topics.into_iter().flatten().collect())
}

/// A broker's word for how something ended; 0 is well.
pub(crate) type Code = i16;

/// Codes that mean something to the bus.
pub(crate) mod code {
    use super::Code;

    pub(crate) const NONE: Code = 0;
    pub(crate) const OFFSET_OUT_OF_RANGE: Code = 1;
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Code = 3;
    pub(crate) const LEADER_NOT_AVAILABLE: Code = 5;
    pub(crate) const NOT_LEADER_OR_FOLLOWER: Code = 6;
    pub(crate) const MESSAGE_TOO_LARGE: Code = 10;
    pub(crate) const INVALID_TOPIC: Code = 17;
    pub(crate) const RECORD_LIST_TOO_LARGE: Code = 18;
    pub(crate) const NOT_ENOUGH_REPLICAS: Code = 19;
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: Code = 29;
    pub(crate) const UNSUPPORTED_SASL_MECHANISM: Code = 33;
    pub(crate) const SASL_AUTHENTICATION_FAILED: Code = 58;
}

/// Asks which requests a broker understands.
pub(crate) struct Versions;

/// A kind of request, and the versions of it that a broker understands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Understood {
    pub(crate) key: i16,
    pub(crate) least: i16,
    pub(crate) most: i16,
}

impl Ask for Versions {
    const KEY: i16 = 18;
    const VERSION: i16 = 0;
    type Answer = (Code, Vec<Understood>);

    fn write(&self, _: &mut Output) {}

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let each = |input: &mut Input| Ok(Understood { key: input.int16()?, least: input.int16()?, most: input.int16()? });
        Ok((input.int16()?, input.list(each)?))
    }
}

/// Names how the bus will show who it is.
pub(crate) struct Handshake<'a>(pub(crate) &'a str);

impl Ask for Handshake<'_> {
    const KEY: i16 = 17;
    const VERSION: i16 = 1;
    type Answer = Code;

    fn write(&self, output: &mut Output) {
        output.text(self.0);
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let code = input.int16()?;
        let _known_mechanisms = input.list(Input::text)?;
        Ok(code)
    }
}

/// A step of showing it.
pub(crate) struct Authenticate<'a>(pub(crate) &'a [u8]);

impl Ask for Authenticate<'_> {
    const KEY: i16 = 36;
    const VERSION: i16 = 0;
    type Answer = (Code, Bytes);

    fn write(&self, output: &mut Output) {
        output.bytes(self.0);
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let code = input.int16()?;
        let _broker_s_own_words = input.text()?;
        Ok((code, input.bytes()?.unwrap_or_default()))
    }
}

/// Asks where the brokers are, and which of them lead the partitions of a topic. Makes no topic.
pub(crate) struct Where<'a>(pub(crate) &'a str);

/// Where brokers are, and what one topic is like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) brokers: Vec<Node>,
    pub(crate) topics: Vec<Topic>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) code: Code,
    pub(crate) name: String,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition, and the broker that leads it; a negative one is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) number: i32,
    pub(crate) leader: i32,
}

impl Ask for Where<'_> {
    const KEY: i16 = 3;
    const VERSION: i16 = 4;
    type Answer = Map;

    fn write(&self, output: &mut Output) {
        output.list(std::iter::once(self.0), Output::text);
        output.int8(0);
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let _throttled_ms = input.int32()?;
        let brokers = input.list(|input| {
            let node = Node { id: input.int32()?, host: input.text()?.unwrap_or_default(), port: input.int32()? };
            let _rack = input.text()?;
            Ok(node)
        })?;
        let _cluster = input.text()?;
        let _controller = input.int32()?;
        let partition = |input: &mut Input| {
            let _code = input.int16()?;
            let partition = Partition { number: input.int32()?, leader: input.int32()? };
            let (_replicas, _in_sync) = (input.list(Input::int32)?, input.list(Input::int32)?);
            Ok(partition)
        };
        let topics = input.list(|input| {
            let (code, name, _is_internal) = (input.int16()?, input.text()?.unwrap_or_default(), input.int8()?);
            Ok(Topic { code, name, partitions: input.list(partition)? })
        })?;
        Ok(Map { brokers, topics })
    }
}

/// Writes one batch of records, once all replicas that are in sync have it.
pub(crate) struct Produce<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) batch: &'a [u8],
    pub(crate) timeout_ms: i32,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) partition: i32,
    pub(crate) code: Code,
    /// Where the leader wrote it; negative where it wrote nothing. It may have written and then failed.
    pub(crate) offset: i64,
}

impl Ask for Produce<'_> {
    const KEY: i16 = 0;
    const VERSION: i16 = 3;
    type Answer = Vec<Written>;

    fn write(&self, output: &mut Output) {
        // No transaction; all replicas.
        output.int16(-1);
        output.int16(-1);
        output.int32(self.timeout_ms);
        of_one_topic(output, self.topic);
        output.list(std::iter::once(self.partition), |output, partition| {
            output.int32(partition);
            output.bytes(self.batch);
        });
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let written = partitions(input, |input| {
            let written = Written { partition: input.int32()?, code: input.int16()?, offset: input.int64()? };
            let _time = input.int64()?;
            Ok(written)
        })?;
        let _throttled_ms = input.int32()?;
        Ok(written)
    }
}

/// Asks where partitions of a topic end, for readers of what was committed.
pub(crate) struct Ends<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partitions: &'a [i32],
}

/// Where a partition ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) partition: i32,
    pub(crate) code: Code,
    pub(crate) offset: i64,
}

const READ_COMMITTED: i8 = 1;
/// Those who only read are no replica.
const NO_REPLICA: i32 = -1;
const LATEST: i64 = -1;

impl Ask for Ends<'_> {
    const KEY: i16 = 2;
    const VERSION: i16 = 2;
    type Answer = Vec<End>;

    fn write(&self, output: &mut Output) {
        output.int32(NO_REPLICA);
        output.int8(READ_COMMITTED);
        of_one_topic(output, self.topic);
        output.list(self.partitions.iter(), |output, partition| {
            output.int32(*partition);
            output.int64(LATEST);
        });
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let _throttled_ms = input.int32()?;
        partitions(input, |input| {
            let (partition, code, _time) = (input.int32()?, input.int16()?, input.int64()?);
            Ok(End { partition, code, offset: input.int64()? })
        })
    }
}

/// Asks for what was committed to a topic from certain places on, and waits for some.
pub(crate) struct Fetch<'a> {
    pub(crate) topic: &'a str,
    /// Partitions, each with the place that is next.
    pub(crate) places: &'a [(i32, i64)],
    pub(crate) wait_ms: i32,
    pub(crate) most_bytes: i32,
}

/// What came of one partition.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) partition: i32,
    pub(crate) code: Code,
    /// Transactions that were taken back, and where each began.
    pub(crate) aborted: Vec<Aborted>,
    pub(crate) batches: Bytes,
}

/// A transaction that was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer: i64,
    pub(crate) first: i64,
}

impl Ask for Fetch<'_> {
    const KEY: i16 = 1;
    const VERSION: i16 = 4;
    /// For so many milliseconds the broker will be silent, and what it has.
    type Answer = (i32, Vec<Fetched>);

    fn write(&self, output: &mut Output) {
        output.int32(NO_REPLICA);
        output.int32(self.wait_ms);
        // A byte is worth an answer.
        output.int32(1);
        output.int32(self.most_bytes);
        output.int8(READ_COMMITTED);
        of_one_topic(output, self.topic);
        output.list(self.places.iter(), |output, (partition, offset)| {
            output.int32(*partition);
            output.int64(*offset);
            output.int32(self.most_bytes);
        });
    }

    fn read(input: &mut Input) -> Result<Self::Answer> {
        let throttled_ms = input.int32()?;
        let fetched = partitions(input, |input| {
            let (partition, code) = (input.int32()?, input.int16()?);
            let (_end, _stable_end) = (input.int64()?, input.int64()?);
            let aborted = input.list(|input| Ok(Aborted { producer: input.int64()?, first: input.int64()? }))?;
            Ok(Fetched { partition, code, aborted, batches: input.bytes()?.unwrap_or_default() })
        })?;
        Ok((throttled_ms, fetched))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::kafka::codec::Malformed;

    fn read<A: Ask>(bytes: &[u8]) -> Result<A::Answer> {
        A::read(&mut Input::new(Bytes::copy_from_slice(bytes)))
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a number")).collect()
    }

    /// As the protocol guide lays it out, field by field.
    #[test]
    fn reads_where_brokers_are_and_who_leads() {
        let answer = hex("00000000  00000001 00000007 0002 6b31 00002384 ffff  ffff 00000007
             00000001 0000 0001 74 00 00000002
             0000 00000001 00000007 00000001 00000007 00000000
             0005 00000000 ffffffff 00000000 00000000");
        let brokers = vec![Node { id: 7, host: "k1".to_owned(), port: 9092 }];
        let partitions = vec![Partition { number: 1, leader: 7 }, Partition { number: 0, leader: -1 }];
        let topics = vec![Topic { code: code::NONE, name: "t".to_owned(), partitions }];
        assert_eq!(read::<Where<'_>>(&answer), Ok(Map { brokers, topics }));
        for length in 0..answer.len() {
            assert_eq!(read::<Where<'_>>(&answer[..length]), Err(Malformed), "{length}");
        }
    }

    #[test]
    fn writes_what_a_broker_reads() {
        let mut output = Output::default();
        Produce { topic: "t", partition: 2, batch: b"abc", timeout_ms: 500 }.write(&mut output);
        assert_eq!(output.0, hex("ffff ffff 000001f4 00000001 0001 74 00000001 00000002 00000003 616263"));
        let mut output = Output::default();
        Where("t").write(&mut output);
        assert_eq!(output.0, hex("00000001 0001 74 00"));
    }

    proptest! {
        /// Whatever comes is read, or is refused: lengths of what is not there do no harm.
        #[test]
        fn nothing_that_comes_does_harm(bytes in vec(prop_oneof![Just(0_u8), Just(1), Just(0x7f), Just(0xff), any::<u8>()], 0..200)) {
            let _ = read::<Versions>(&bytes);
            let _ = read::<Handshake<'_>>(&bytes);
            let _ = read::<Authenticate<'_>>(&bytes);
            let _ = read::<Where<'_>>(&bytes);
            let _ = read::<Produce<'_>>(&bytes);
            let _ = read::<Ends<'_>>(&bytes);
            if let Ok((_, fetched)) = read::<Fetch<'_>>(&bytes) {
                for part in fetched {
                    let _ = crate::kafka::records::read(part.batches, 0, &part.aborted, 1 << 16, |_| ());
                }
            }
        }
    }
}
