// A registry of people behind JSON over HTTP: the legacy system that the tests of the `rest` connector run against.
//
//   node server.js PORT        PORT 0 takes a free one; prints `listening PORT` when it answers
//
// Records have pin (the key), family, given, born (YYYY-MM-DD), notes (text or null), version (counts changes) and
// perhaps a photo. Versions are checked by ETag and If-Match (RFC 9110); an Idempotency-Key is remembered with its
// answer. Everything is in memory. What begins with `/__` is for the tests, not part of the registry.
'use strict';

const fs = require('fs');
const path = require('path');
const fastify = require('fastify');

/** What it says of itself: what it shows to anybody, in OpenAPI. */
const description = fs.readFileSync(path.join(__dirname, 'openapi.json'), 'utf8');

const TEXTS = ['pin', 'family', 'given', 'born'];
const FIELDS = [...TEXTS, 'notes', 'version'];
const PAGE_MAX = 1000;
const PIN_MAX = 500;

/** pin -> record */
let people = new Map();
/** Idempotency-Key -> the answer that it had */
let answered = new Map();
/** What was done, in order, each with a number */
let log = [];
/** What every path but `/__...` answers instead, when set: { status, retryAfter } */
let failing = null;

const app = fastify({ bodyLimit: 16 * 1024 * 1024, routerOptions: { maxParamLength: 1024 * 1024 } });

// A body without a value is a body all the same: DELETE with a content type must not fail.
app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'string' }, (_request, body, done) => {
  if (body === '') return done(null, undefined);
  try {
    done(null, JSON.parse(body));
  } catch {
    done(Object.assign(new Error('the body is no JSON'), { statusCode: 400 }));
  }
});

app.addHook('onRequest', async (request, reply) => {
  if (failing && !request.url.startsWith('/__')) {
    if (failing.retryAfter !== undefined) reply.header('retry-after', String(failing.retryAfter));
    return reply.code(failing.status).send({ error: 'failing on request' });
  }
});

app.get('/openapi.json', async (_request, reply) => reply.type('application/json').send(description));

app.get('/health', async () => ({ status: 'up' }));

app.get('/people', async (request, reply) => {
  const ask = request.query;
  const offset = whole(ask.offset, 0);
  const limit = whole(ask.limit, 50);
  if (offset === null || limit === null || limit < 1 || limit > PAGE_MAX) return problem(reply, 400, 'paging');
  const found = [...people.values()].filter((person) => matches(person, ask)).sort(byPin);
  const items = found.slice(offset, offset + limit).map((person) => shown(person, ask.fields));
  const end = offset + items.length;
  return { items, total: found.length, next_offset: end < found.length ? end : null };
});

app.get('/people/:pin', async (request, reply) => {
  const person = people.get(request.params.pin);
  if (!person) return problem(reply, 404, 'absent');
  return reply.header('etag', etag(person)).send(shown(person, request.query.fields));
});

app.get('/people/:pin/photo', async (request, reply) => {
  const person = people.get(request.params.pin);
  if (!person || !person.photo) return problem(reply, 404, 'absent');
  return reply.type('image/jpeg').send(person.photo);
});

app.post('/people', (request, reply) => once(request, reply, () => {
  const wrong = fault(request.body, TEXTS);
  if (wrong) return answer(422, { error: wrong });
  if (people.has(request.body.pin)) return answer(409, { error: 'exists' });
  const person = made(request.body, 1);
  people.set(person.pin, person);
  logged('created', person.pin);
  return answer(201, shown(person), { etag: etag(person), location: `/people/${encodeURIComponent(person.pin)}` });
}));

app.put('/people/:pin', (request, reply) => once(request, reply, () => changed(request, (old) => {
  const whole = { ...request.body, pin: old.pin };
  return fault(whole, TEXTS) ?? { ...made(whole, old.version + 1), photo: old.photo };
})));

app.patch('/people/:pin', (request, reply) => once(request, reply, () => changed(request, (old) => {
  const merged = { ...old };
  for (const [name, value] of Object.entries(request.body ?? {})) {
    if (FIELDS.includes(name) && name !== 'pin' && name !== 'version') merged[name] = value;
  }
  return fault(merged, TEXTS) ?? { ...merged, version: old.version + 1 };
})));

app.delete('/people/:pin', (request, reply) => once(request, reply, () => changed(request, () => null)));

app.post('/people/:pin/rename', (request, reply) => once(request, reply, () => {
  const family = request.body?.person?.family;
  const given = changed(request, (old) => fault({ ...old, family }, TEXTS) ?? { ...old, family, version: old.version + 1 });
  return given.status === 200 ? { ...given, body: { renamed: given.body } } : given;
}));

app.get('/changes', async (request, reply) => {
  const from = whole(request.query.from, 0);
  const size = whole(request.query.size, 50);
  if (from === null || size === null || size < 1 || size > PAGE_MAX) return problem(reply, 400, 'paging');
  return { changes: log.filter((change) => change.number >= from).slice(0, size) };
});

app.post('/__reset', async (request, reply) => {
  people = new Map();
  answered = new Map();
  failing = null;
  log = [];
  for (const person of request.body?.people ?? []) {
    const photo = person.photo ? Buffer.from(person.photo, 'base64') : null;
    people.set(person.pin, { ...made(person, person.version ?? 1), photo });
    logged('created', person.pin);
  }
  return reply.code(204).send();
});

app.get('/__people', async () => ({
  people: [...people.values()].sort(byPin).map((person) => ({
    ...shown(person),
    photo: person.photo ? person.photo.toString('base64') : null,
  })),
}));

app.post('/__fail', async (request, reply) => {
  failing = request.body?.status ? { status: request.body.status, retryAfter: request.body.retry_after } : null;
  return reply.code(204).send();
});

/** Answers the same key with the same answer, and does the work once. */
async function once(request, reply, work) {
  const key = request.headers['idempotency-key'];
  const before = key === undefined ? undefined : answered.get(key);
  const given = before ?? work();
  if (key !== undefined && given.status < 500) answered.set(key, given);
  if (before) reply.header('idempotency-replayed', 'true');
  reply.code(given.status).headers(given.headers);
  return given.body === undefined ? reply.send() : reply.send(given.body);
}

/** Changes a record: `next` gives the new one, null to delete it, or a text that says what is wrong. */
function changed(request, next) {
  const old = people.get(request.params.pin);
  if (!old) return answer(404, { error: 'absent' });
  const expected = request.headers['if-match'];
  if (expected !== undefined && expected !== '*' && expected !== etag(old)) return answer(412, { error: 'version' });
  const person = next(old);
  if (typeof person === 'string') return answer(422, { error: person });
  if (person === null) {
    people.delete(old.pin);
    logged('deleted', old.pin);
    return answer(204);
  }
  people.set(old.pin, person);
  logged('changed', old.pin);
  return answer(200, shown(person), { etag: etag(person) });
}

/** Numbers grow by more than one, as where other things are numbered too. */
function logged(what, pin) {
  log.push({ number: (log.at(-1)?.number ?? 0) + 3, what, whom: { pin } });
}

function matches(person, ask) {
  return (ask.pin === undefined || person.pin === ask.pin)
    && (ask.pins === undefined || [ask.pins].flat().includes(person.pin))
    && (ask.family === undefined || person.family === ask.family)
    && (ask.given === undefined || person.given === ask.given)
    && (ask.family_prefix === undefined || person.family.startsWith(ask.family_prefix))
    && (ask.born_from === undefined || person.born >= ask.born_from)
    && (ask.born_to === undefined || person.born <= ask.born_to);
}

/** What is wrong with a record, or undefined. */
function fault(person, needed) {
  if (person === null || typeof person !== 'object') return 'an object is needed';
  for (const name of needed) {
    if (typeof person[name] !== 'string') return `${name} must be text`;
  }
  if (person.pin === '' || person.pin.length > PIN_MAX) return 'pin must have a length';
  if (!/^\d{4}-\d{2}-\d{2}$/.test(person.born)) return 'born must be a date';
  if (person.notes !== undefined && person.notes !== null && typeof person.notes !== 'string') return 'notes must be text';
  return undefined;
}

function made(person, version) {
  const { pin, family, given, born, notes } = person;
  return { pin, family, given, born, notes: notes ?? null, version, photo: null };
}

function shown(person, fields) {
  const wanted = fields === undefined ? FIELDS : fields.split(',').filter((name) => FIELDS.includes(name));
  return Object.fromEntries(wanted.map((name) => [name, person[name]]));
}

function answer(status, body, headers = {}) {
  return { status, body, headers };
}

function problem(reply, status, error) {
  return reply.code(status).send({ error });
}

function etag(person) {
  return `"${person.version}"`;
}

function byPin(a, b) {
  return a.pin < b.pin ? -1 : a.pin > b.pin ? 1 : 0;
}

/** A whole number from 0 on, the default when there is none, null when it is something else. */
function whole(text, fallback) {
  if (text === undefined) return fallback;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

app.listen({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0) }).then(
  () => console.log(`listening ${app.server.address().port}`),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
