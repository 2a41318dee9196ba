'use strict';

// Asks a registry behind a broker, as its partners do, and prints each reply on a line.
//
//   node ask.js amqp URL QUEUE REQUEST...
//   node ask.js kafka HOST:PORT TOPIC REPLIES REQUEST...     a request with `expires` in the past waits for nothing
//   node ask.js brokers HOST:PORT                            prints where that broker tells its clients to connect
//   node ask.js leave URL QUEUE REQUEST...                   leaves them in the durable queue, to be done later

const { randomUUID } = require('crypto');

async function amqp(url, queue, ...requests) {
  const connection = await require('amqplib').connect(url);
  const channel = await connection.createChannel();
  const replies = new Replies();
  const heard = (message) => replies.came(message.properties.correlationId, message.content);
  const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
  await channel.consume(replyTo, heard, { noAck: true });
  for (const request of requests) {
    console.log(await replies.to((correlationId) => {
      channel.sendToQueue(queue, Buffer.from(request), { correlationId, replyTo });
    }));
  }
  await connection.close();
}

async function leave(url, queue, ...requests) {
  const connection = await require('amqplib').connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  for (const request of requests) channel.sendToQueue(queue, Buffer.from(request), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

async function kafka(broker, topic, replyTopic, ...requests) {
  const { Kafka, logLevel } = require('kafkajs');
  const client = new Kafka({ clientId: 'partner', brokers: [broker], logLevel: logLevel.NOTHING });
  const replies = new Replies();
  const consumer = client.consumer({ groupId: randomUUID() });
  const joined = new Promise((resolve) => { consumer.on(consumer.events.GROUP_JOIN, resolve); });
  await consumer.connect();
  await consumer.subscribe({ topics: [replyTopic], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => replies.came(String(message.headers.kafka_correlationId), message.value),
  });
  await joined;
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  for (const request of requests) {
    const { expires } = JSON.parse(request);
    const send = (id) => producer.send({
      topic,
      messages: [{
        value: request,
        headers: { kafka_replyTopic: replyTopic, kafka_correlationId: id, ...(expires && { expires: String(expires) }) },
      }],
    });
    if (expires < Date.now()) await send(randomUUID());
    else console.log(await replies.to(send));
  }
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
}

async function brokers(broker) {
  const { Kafka } = require('kafkajs');
  const admin = new Kafka({ clientId: 'partner', brokers: [broker] }).admin();
  await admin.connect();
  const { brokers: told } = await admin.describeCluster();
  for (const { host, port } of told) console.log(`${host}:${port}`);
  await admin.disconnect();
}

class Replies {
  constructor() {
    this.awaited = new Map();
  }

  /** Sends with an id, and gives the reply that bears it. */
  async to(send) {
    const id = randomUUID();
    const reply = new Promise((resolve) => { this.awaited.set(id, resolve); });
    await send(id);
    return reply;
  }

  came(id, bytes) {
    this.awaited.get(id)?.(bytes.toString());
  }
}

const [how, ...given] = process.argv.slice(2);
({ amqp, brokers, kafka, leave })[how](...given).catch((error) => {
  console.error(error);
  process.exit(1);
});
