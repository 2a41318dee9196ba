'use strict';

// A registry of people behind a message broker: the legacy system that the tests of the `queue` connector run against.
//
//   node server.js amqp URL QUEUE PORT
//   node server.js kafka HOST:PORT[|HOST:PORT]... TOPIC[:PARTITIONS[:REPLICAS]][,OTHER...] PORT     the others are only made
//
// Requests and replies are JSON; `people.js` knows the operations. PORT, where 0 takes a free one, is for the tests:
// GET /_state tells the register, PUT /_state replaces it. `listening PORT` says that requests are answered.

const http = require('http');

const { Register } = require('./people');

const PROTOCOLS = { amqp: () => require('./amqp'), kafka: () => require('./kafka') };

const register = new Register();

function answer(bytes) {
  let request;
  try {
    request = JSON.parse(bytes);
  } catch {
    return { status: 'INVALID_INPUT', message: 'the request is no JSON' };
  }
  return register.answer(request);
}

async function control(request, response) {
  if (request.url !== '/_state') {
    response.writeHead(404).end();
    return;
  }
  if (request.method === 'PUT') {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    register.load(JSON.parse(Buffer.concat(chunks)));
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(register.state()));
}

async function main([protocol, place, source, port]) {
  const server = http.createServer(control);
  await PROTOCOLS[protocol]().serve(place, source, answer);
  server.listen(Number(port), '127.0.0.1', () => console.log(`listening ${server.address().port}`));
}

const given = process.argv.slice(2);
if (!(given[0] in PROTOCOLS) || given.length !== 4) {
  console.error('usage: node server.js amqp URL QUEUE PORT | node server.js kafka HOST:PORT TOPIC[:PARTITIONS][,...] PORT');
  process.exit(2);
}
main(given).catch((error) => {
  console.error(error);
  process.exit(1);
});
