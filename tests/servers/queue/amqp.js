'use strict';

// Requests from a queue of an AMQP 0-9-1 broker; each reply goes to the queue that the request's `reply_to` names.

const amqp = require('amqplib');

const PREFETCH = 16;
const PAUSE_MS = 100;
const CONNECT_MS = 2000;

/** Answers what comes on a queue, which it declares durable; resolves when it listens. Comes back when the broker does. */
async function serve(url, queue, answer) {
  const setup = async (connection) => {
    const channel = await connection.createChannel();
    // What ends the channel ends the connection, so that both are made anew.
    const end = () => connection.close().catch(() => {});
    channel.on('error', (error) => { console.error(`channel: ${error.message}`); end(); });
    await channel.assertQueue(queue, { durable: true });
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => (message === null ? end() : take(channel, message, answer)));
  };
  const recovery = { initialDelay: PAUSE_MS, maxDelay: PAUSE_MS, factor: 1, jitter: 0, setup };
  const connection = await amqp.connect(url, { timeout: CONNECT_MS, noDelay: true, recovery });
  connection.on('error', (error) => console.error(`connection: ${error.message}`));
  connection.on('disconnect', (error) => console.error(`disconnected: ${error.message}`));
}

/** A channel keeps its order, so the broker has the reply before it learns that the request is done with. */
function take(channel, message, answer) {
  const { replyTo, correlationId } = message.properties;
  const reply = answer(message.content);
  if (replyTo) {
    channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(reply)), { correlationId, contentType: 'application/json' });
  }
  channel.ack(message);
}

module.exports = { serve };
