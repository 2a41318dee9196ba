// A receiver of webhooks. It verifies every one with the reference library of Standard Webhooks, answers as it was told
// to, and tells what it got.
//
// node server.js [CERTIFICATE KEY] PORT
//
//   POST /hook       a webhook
//   POST /control    { secret?, status?, retry_after? }: what it verifies with and answers from now on
//   GET  /received   [ { id, exchange, at, verified, type, answered, body } ], in the order of arrival

'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { Webhook } = require('standardwebhooks');

const port = Number(process.argv.at(-1));
const told = { secret: null, status: 204, retry_after: null };
const received = [];

/** Whether the reference library takes it for genuine. */
function verified(body, headers) {
  try {
    new Webhook(told.secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

function hook(request, body, response) {
  const headers = request.headers;
  received.push({
    id: headers['webhook-id'],
    exchange: headers['rabita-exchange'],
    at: Date.now(),
    verified: verified(body, headers),
    type: headers['content-type'],
    answered: told.status,
    body: JSON.parse(body),
  });
  const more = told.retry_after === null ? {} : { 'retry-after': String(told.retry_after) };
  // A redirect leads to where anything is taken: who follows it is found out.
  if (told.status >= 300 && told.status < 400) more.location = '/elsewhere';
  response.writeHead(told.status, more).end();
}

function answer(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString('utf8');
    switch (`${request.method} ${request.url}`) {
      case 'POST /hook':
        return hook(request, body, response);
      case 'POST /control':
        Object.assign(told, JSON.parse(body));
        return response.writeHead(204).end();
      case 'GET /received':
        return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(received));
      default:
        received.push({ elsewhere: request.url });
        return response.writeHead(404).end();
    }
  });
}

const [certificate, key] = process.argv.slice(2, -1);
const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, answer)
  : http.createServer(answer);

server.listen(port, '127.0.0.1', () => console.log(`listening ${port}`));
