'use strict';

// Requests from a topic of Apache Kafka; each reply goes to the topic that the request's header names.

const { Kafka, logLevel } = require('kafkajs');

const PAUSE_MS = 100;
const CONNECT_MS = 1000;
const REQUEST_MS = 5000;
const SESSION_MS = 1500;
const HEARTBEAT_MS = 300;
const WAIT_MS = 500;
// A picture in Base64 is larger than what a topic takes by default.
const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;

const RETRY = { initialRetryTime: PAUSE_MS, maxRetryTime: PAUSE_MS, factor: 0, multiplier: 1, retries: 5 };

/**
 * Answers what comes on the first of these topics (`NAME[:PARTITIONS[:REPLICAS]]`, joined by commas), which it makes
 * where they are missing; resolves when it listens. Comes back when the broker does.
 */
async function serve(brokers, topics, answer) {
  const kafka = new Kafka({
    clientId: 'registry',
    brokers: brokers.split('|'),
    connectionTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    logLevel: logLevel.NOTHING,
    retry: RETRY,
  });
  const wanted = topics.split(',').map((topic) => topic.split(':'));
  await make(kafka, wanted);
  const [topic] = wanted[0];
  const consumer = kafka.consumer({
    groupId: topic,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: WAIT_MS,
    allowAutoTopicCreation: false,
    // Whatever made it stop, it begins again.
    retry: { ...RETRY, restartOnFailure: async () => true },
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => console.error(`consumer: ${payload.error.message}`));
  const joined = new Promise((resolve) => { consumer.on(consumer.events.GROUP_JOIN, resolve); });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const replies = new Replies(kafka);
  await consumer.run({ eachBatch: (work) => take(replies, work, answer) });
  await joined;
}

async function make(kafka, wanted) {
  const admin = kafka.admin();
  await admin.connect();
  const topics = wanted.map(([topic, partitions, replicas]) => ({
    topic,
    numPartitions: Number(partitions || 1),
    replicationFactor: Number(replicas || 1),
    configEntries: [{ name: 'max.message.bytes', value: String(MESSAGE_MAX_BYTES) }],
  }));
  await admin.createTopics({ topics });
  await admin.disconnect();
}

/** A producer for each topic: one that has tried a topic that is not there sends to no other any more. */
class Replies {
  constructor(kafka) {
    this.kafka = kafka;
    this.producers = new Map();
  }

  async send(topic, messages) {
    if (!this.producers.has(topic)) this.producers.set(topic, await this.connected());
    try {
      await this.producers.get(topic).send({ topic, messages, acks: 1 });
    } catch (error) {
      if (cause(error).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      // Nobody waits there.
      console.error(`reply: ${error.message}`);
      await this.producers.get(topic).disconnect();
      this.producers.delete(topic);
    }
  }

  async connected() {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    return producer;
  }
}

function cause(error) {
  return error.cause ? cause(error.cause) : error;
}

/** The replies of a batch leave before the batch is done with: one that fails comes again, and is told of duplicates. */
async function take(replies, { batch, resolveOffset, heartbeat }, answer) {
  const topics = new Map();
  for (const reply of batch.messages.map((message) => replied(message, answer)).filter(Boolean)) {
    topics.set(reply.topic, [...(topics.get(reply.topic) ?? []), reply.message]);
  }
  await Promise.all([...topics].map(([topic, messages]) => replies.send(topic, messages)));
  resolveOffset(batch.lastOffset());
  await heartbeat();
}

/** A reply to one message; null when it came too late or nobody wants one. */
function replied({ value, headers = {} }, answer) {
  const expires = headers.expires && Number(headers.expires.toString());
  if (expires && expires < Date.now()) return null;
  const reply = JSON.stringify(answer(value));
  if (!headers.kafka_replyTopic) return null;
  const correlation = headers.kafka_correlationId;
  // Without the key: this client takes seconds to find the partition of one of a megabyte.
  const message = { value: reply, headers: correlation ? { kafka_correlationId: correlation } : {} };
  const partition = headers.kafka_replyPartition && number(headers.kafka_replyPartition);
  if (partition !== undefined) message.partition = partition;
  return { topic: headers.kafka_replyTopic.toString(), message };
}

/** A partition as Spring writes it, four bytes with the highest first, or in decimal digits. */
function number(bytes) {
  return bytes.length === 4 && bytes[0] === 0 ? bytes.readUInt32BE() : Number(bytes.toString());
}

module.exports = { serve };
