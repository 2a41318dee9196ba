'use strict';

// A register of people: /people speaks SOAP 1.1, /people12 speaks 1.2, /people-secure asks for a UsernameToken.
// GET /_state tells the register as JSON, PUT /_state replaces it, so that a test can begin where it wants.

const crypto = require('crypto');

const USER = process.env.PEOPLE_USER || 'bus';
const PASSWORD = process.env.PEOPLE_PASSWORD || 'made-up & <secret>';
const CLOCK_SKEW_MS = 5 * 60 * 1000;

let register = new Map();
let photos = new Map();
let messages = new Map();
let applied = 0;
const nonces = new Set();

function control(request, response) {
  if (request.url !== '/_state') return false;
  const tell = () => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ people: [...register.values()], photos: Object.fromEntries(photos), applied }));
  };
  if (request.method !== 'PUT') {
    tell();
    return true;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const state = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
    register = new Map((state.people || []).map((person) => [person.pin, { version: 1, ...person }]));
    photos = new Map(Object.entries(state.photos || {}));
    messages = new Map();
    applied = 0;
    tell();
  });
  return true;
}

function refuse(version, blame, word) {
  const sender = version === '1.2' ? { Client: 'Sender', Server: 'Receiver' }[blame] : blame;
  if (version === '1.2') {
    return { Fault: { Code: { Value: `soap:${sender}`, Subcode: { Value: `rpc:${word}` } }, Reason: { Text: word }, statusCode: 500 } };
  }
  return { Fault: { faultcode: `soap:${sender}`, faultstring: word, statusCode: 500 } };
}

const list = (value) => (value === undefined || value === null || value === '' ? [] : [].concat(value));

/** What came for an element: its text, null for nil, undefined when it was not there. */
function given(value) {
  if (value === undefined || value === null) return value;
  if (typeof value === 'object') {
    const attributes = value.attributes || {};
    if (['true', '1'].includes(String(attributes['xsi:nil'] ?? attributes.nil))) return null;
    return value.$value ?? '';
  }
  return String(value);
}

function read(person) {
  const record = {};
  for (const name of ['pin', 'family', 'given', 'born', 'died', 'notes']) {
    const value = given(person[name]);
    if (value !== undefined) record[name] = value;
  }
  if (person.phones !== undefined) {
    record.phones = list(person.phones && person.phones.phone).map((phone) => ({
      kind: (phone.attributes && phone.attributes.kind) || null,
      number: given(phone),
    }));
  }
  return record;
}

function written(person) {
  const { pin, family, given: first, born, notes, died = null } = person;
  const phone = (person.phones || []).map(({ kind, number }) => ({ attributes: kind ? { kind } : {}, $value: number }));
  const record = { pin, family, given: first, born, died, notes, phones: { phone }, version: String(person.version) };
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function operations(version) {
  /** Changes happen once for each message id; a second one is told what the first was. */
  const change = (apply) => (body) => {
    const id = given(body.messageId);
    if (id && messages.has(id)) return { ...messages.get(id), status: 'DUPLICATE' };
    const person = read(body.person || {});
    if (!person.pin) throw refuse(version, 'Client', 'INVALID_INPUT');
    const old = register.get(person.pin);
    const expected = given(body.expectedVersion);
    if (old && expected && Number(expected) !== old.version) throw refuse(version, 'Client', 'VERSION_CONFLICT');
    const answer = apply(person, old);
    if (id) messages.set(id, answer);
    applied += 1;
    return answer;
  };
  const put = (person, old, status) => {
    const next = { ...person, version: old ? old.version + 1 : 1 };
    register.set(person.pin, next);
    return { status, version: String(next.version) };
  };
  const existing = (apply) => change((person, old) => {
    if (!old) throw refuse(version, 'Client', 'NOT_FOUND');
    return apply(person, old);
  });
  return {
    getPerson: (body) => {
      const person = register.get(given(body.pin));
      return person ? { person: written(person) } : {};
    },
    getPhoto: (body) => {
      const photo = photos.get(given(body.pin));
      return photo === undefined ? {} : { photo };
    },
    listPeople: (body) => {
      const by = Object.fromEntries(Object.entries(body || {}).map(([name, value]) => [name, given(value)]));
      const fits = (person) => (by.pin === undefined || person.pin === by.pin)
        && (by.family === undefined || person.family === by.family)
        && (by.given === undefined || person.given === by.given)
        && (by.familyPrefix === undefined || (person.family || '').startsWith(by.familyPrefix))
        && (by.bornFrom === undefined || (person.born || '') >= by.bornFrom)
        && (by.bornTo === undefined || (person.born || '~') <= by.bornTo);
      const found = [...register.values()].filter(fits).sort((a, b) => (a.pin < b.pin ? -1 : 1));
      const start = Number(by.offset || 0);
      const page = found.slice(start, start + Number(by.limit || 100));
      return { total: String(found.length), people: { person: page.map(written) } };
    },
    createPerson: change((person, old) => {
      if (old) throw refuse(version, 'Client', 'ALREADY_EXISTS');
      if (person.family === 'REFUSED') throw refuse(version, 'Client', 'INVALID_INPUT');
      return put(person, undefined, 'CREATED');
    }),
    replacePerson: existing((person, old) => put(person, old, 'REPLACED')),
    updatePerson: existing((person, old) => put({ ...old, ...person }, old, 'UPDATED')),
    renamePerson: existing((person, old) => {
      const answer = put({ ...old, family: person.family }, old, 'RENAMED');
      return { ...answer, person: written(register.get(person.pin)) };
    }),
    deletePerson: existing((person) => {
      register.delete(person.pin);
      return { status: 'DELETED' };
    }),
  };
}

/** Whether a UsernameToken is right: its password or digest, no nonce twice, and not too old. */
function authenticate(security) {
  const token = security && security.UsernameToken;
  if (!token || given(token.Username) !== USER) return false;
  const password = given(token.Password);
  const type = (token.Password && token.Password.attributes && token.Password.attributes.Type) || '';
  if (security.Timestamp && Date.parse(given(security.Timestamp.Expires)) < Date.now()) return false;
  if (!type.endsWith('#PasswordDigest')) return type.endsWith('#PasswordText') && password === PASSWORD;
  const nonce = given(token.Nonce);
  const created = given(token.Created);
  if (nonces.has(nonce) || Math.abs(Date.now() - Date.parse(created)) > CLOCK_SKEW_MS) return false;
  nonces.add(nonce);
  const hash = crypto.createHash('sha1').update(Buffer.from(nonce, 'base64')).update(created).update(PASSWORD);
  return hash.digest('base64') === password;
}

function serve(listen, xml) {
  const at = (path, version, options = {}) => {
    const services = { People: { People: operations(version) } };
    const service = listen({ path, services, xml, handleNilAsNull: true, ...options });
    // Left to itself the library trims texts, which a register must not do. It takes this option for clients alone.
    service.wsdl.options.preserveWhitespace = true;
    return service;
  };
  at('/people', '1.1');
  at('/people12', '1.2', { forceSoap12Headers: true });
  at('/people-secure', '1.1').authenticate = authenticate;
}

module.exports = { control, serve };
