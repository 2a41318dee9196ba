// The Norwegian register of business entities, with made-up entities.
//
//   node server.js OPENAPI.json PORT     PORT 0 takes a free one; prints `listening PORT` when it answers
//
// The paths, their parameters and the schema of an entity are those of the register's own OpenAPI document: requests
// are routed and checked by it, and every entity is checked against its `Enhet` before the server starts. The document
// describes the answer of a list as a text; what a list really looks like (HAL: `_embedded`, `_links`, `page`) is told
// on the register's web pages, and is made here after them.
'use strict';

const fs = require('fs');
const fastify = require('fastify');
const { OpenAPIBackend } = require('openapi-backend');

const { entities, removed } = require('./entities');

const SIZE = 20;
const SIZE_MAX = 100;
const DEPTH_MAX = 10000;
const FEED_MAX = 10000;

/** Query parameters that compare for the same value, each with the entity's own. */
const SAME = {
  organisasjonsform: (entity) => entity.organisasjonsform.kode,
  organisasjonsnummer: (entity) => entity.organisasjonsnummer,
  konkurs: (entity) => String(entity.konkurs),
  registrertIMvaregisteret: (entity) => String(entity.registrertIMvaregisteret),
};

/** Query parameters that are a lower or an upper bound. */
const BOUNDS = {
  fraAntallAnsatte: (entity, bound) => entity.antallAnsatte !== undefined && entity.antallAnsatte >= Number(bound),
  tilAntallAnsatte: (entity, bound) => entity.antallAnsatte !== undefined && entity.antallAnsatte <= Number(bound),
  fraRegistreringsdatoEnhetsregisteret: (entity, bound) => entity.registreringsdatoEnhetsregisteret >= bound,
  tilRegistreringsdatoEnhetsregisteret: (entity, bound) => entity.registreringsdatoEnhetsregisteret <= bound,
};

async function main([document, port]) {
  const definition = JSON.parse(fs.readFileSync(document, 'utf8'));
  const base = new URL(definition.servers[0].url).pathname;
  // The document does not name this parameter of the feed, as it does that of a list.
  definition.paths['/oppdateringer/enheter'].parameters.push({ name: 'size', in: 'query', schema: { type: 'integer' } });
  const api = new OpenAPIBackend({
    definition,
    apiRoot: base,
    ajvOpts: { strict: false, formats: { 'date (ISO-8601)': /^\d{4}-\d{2}-\d{2}$/ } },
  });
  api.register({
    listEnheter: (context) => list(context.request.query, `${base}/enheter`),
    listOppdateringerEnhet: (context) => updates(context.request.query, `${base}/oppdateringer/enheter`),
    hentEnhet: (context) => one(context.request.params.organisasjonsnummer),
    validationFail: (context) => ({ status: 400, body: { status: 400, feilmelding: 'Ugyldig forespørsel', valideringsfeil: context.validation.errors } }),
    notFound: () => ({ status: 404, body: undefined }),
    notImplemented: () => ({ status: 501, body: undefined }),
  });
  await api.init();
  for (const entity of entities) {
    const told = api.validateResponse(entity, 'hentEnhet', 200);
    if (told.errors) throw new Error(`${entity.organisasjonsnummer} is no Enhet: ${JSON.stringify(told.errors)}`);
  }

  for (const entity of entities) told(entity.organisasjonsnummer, 'Endring');

  const app = fastify();
  const asked = [];
  // For the tests, not part of the register: the queries that came.
  app.get('/__asked', async () => asked);
  // For the tests too: an entity is changed, made (Ny) or ended (Sletting, Fjernet), and the feed tells it.
  app.post('/__change', async (request, reply) => {
    const { number, type, changes } = request.body;
    const known = entities.find((entity) => entity.organisasjonsnummer === number);
    if (type === 'Ny') entities.push({ ...entities[0], organisasjonsnummer: number, ...changes });
    if (type === 'Endring') Object.assign(known, changes);
    if (type === 'Sletting' || type === 'Fjernet') entities.splice(entities.indexOf(known), 1);
    if (type === 'Fjernet') removed.add(number);
    told(number, type);
    return reply.code(204).send();
  });
  app.all('/*', async (request, reply) => {
    const [path] = request.url.split('?');
    asked.push(request.url);
    const answer = await api.handleRequest({
      method: request.method,
      path,
      query: request.query,
      headers: request.headers,
      body: request.body,
    });
    reply.code(answer.status).type('application/json');
    return answer.body === undefined ? '' : JSON.stringify(answer.body);
  });
  const address = await app.listen({ host: '127.0.0.1', port: Number(port || 0) });
  console.log(`listening ${new URL(address).port}`);
}

/** What was changed, oldest first. The ids grow, and not by one: other things are numbered too. */
const feed = [];

function told(number, type) {
  const oppdateringsid = (feed.at(-1)?.oppdateringsid ?? 24000000) + 3;
  feed.push({ oppdateringsid, dato: new Date().toISOString(), organisasjonsnummer: number, endringstype: type });
}

/** The feed: `oppdateringsid` is the smallest that is wanted. It is always told in the order of the ids. */
function updates(query, path) {
  const size = whole(query.size, SIZE);
  const from = whole(query.oppdateringsid, 1);
  if (size === null || from === null || size < 1 || size > FEED_MAX || from < 1) {
    return { status: 400, body: { status: 400, feilmelding: 'Feilaktig paginering' } };
  }
  const found = feed.filter((update) => update.oppdateringsid >= from);
  const shown = found.slice(0, size);
  const body = {
    ...(shown.length > 0 && { _embedded: { oppdaterteEnheter: shown } }),
    _links: { self: { href: `${path}?oppdateringsid=${from}&size=${size}` } },
    page: { size, totalElements: found.length, totalPages: Math.ceil(found.length / size), number: 0 },
  };
  return { status: 200, body };
}

function one(number) {
  if (removed.has(number)) return { status: 410, body: undefined };
  const entity = entities.find((known) => known.organisasjonsnummer === number);
  return entity ? { status: 200, body: linked(entity) } : { status: 404, body: undefined };
}

function list(query, path) {
  const size = whole(query.size, SIZE);
  const number = whole(query.page, 0);
  if (size === null || number === null || size < 1 || size > SIZE_MAX || (number + 1) * size > DEPTH_MAX) {
    return { status: 400, body: { status: 400, feilmelding: 'Feilaktig paginering' } };
  }
  const found = entities.filter((entity) => holds(entity, query));
  const shown = found.slice(number * size, (number + 1) * size).map(linked);
  const body = {
    // HAL leaves out what is empty.
    ...(shown.length > 0 && { _embedded: { enheter: shown } }),
    _links: { self: { href: `${path}?page=${number}&size=${size}` } },
    page: { size, totalElements: found.length, totalPages: Math.ceil(found.length / size), number },
  };
  return { status: 200, body };
}

function holds(entity, query) {
  return Object.entries(query).every(([name, asked]) => {
    if (name in SAME) return String(asked).split(',').includes(SAME[name](entity));
    if (name in BOUNDS) return BOUNDS[name](entity, asked);
    if (name === 'navn') return isLike(entity.navn, String(asked));
    return name === 'page' || name === 'size' || name === 'sort';
  });
}

/** A search for likeness: every word that is asked for begins a word of the name. */
function isLike(name, asked) {
  const words = name.toLowerCase().split(/\s+/);
  return asked.toLowerCase().split(/\s+/).filter(Boolean).every((wanted) => words.some((word) => word.startsWith(wanted)));
}

function linked(entity) {
  return { ...entity, _links: { self: { href: `/enheter/${entity.organisasjonsnummer}` } } };
}

/** A whole number from a query, null when it is none. */
function whole(text, otherwise) {
  if (text === undefined) return otherwise;
  return /^\d+$/.test(String(text)) ? Number(text) : null;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
