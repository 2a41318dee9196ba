'use strict';

// A register of people, in memory. Changes happen once for each message id: asked again, it tells the first outcome.

const TEXTS = ['pin', 'family', 'given', 'born'];
const WRITTEN = [...TEXTS, 'notes'];
const PIN_MAX = 500;
const PAGE = 100;

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

class Register {
  constructor() {
    this.load({});
  }

  /** Makes these the people, and them alone. A photo is Base64. */
  load({ people = [] }) {
    this.people = new Map();
    /** message id -> the answer that it had */
    this.answered = new Map();
    /** What was done, in order, each with a number */
    this.log = [];
    this.applied = 0;
    for (const person of people) {
      this.people.set(person.pin, { ...written(person), version: person.version ?? 1, photo: person.photo ?? null });
      this.note('created', person.pin);
    }
  }

  /** What `load` takes, and how many changes were made since. */
  state() {
    return { people: [...this.people.values()].sort(byPin), applied: this.applied };
  }

  /** The answer to a request, as the register's partners know it. */
  answer(request) {
    const operation = OPERATIONS[request?.operation];
    if (!operation) return { status: 'INVALID_INPUT', message: 'there is no such operation' };
    try {
      return operation(this, request);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, message: error.message };
    }
  }

  found(pin) {
    const person = this.people.get(pin);
    if (!person) throw new Refusal('NOT_FOUND', 'there is no such person');
    return person;
  }

  /** Numbers grow by more than one, as where other things are numbered too. */
  note(what, pin) {
    this.log.push({ number: (this.log.at(-1)?.number ?? 0) + 3, what, pin });
  }
}

const OPERATIONS = {
  getPerson: (register, { pin }) => ({ status: 'FOUND', person: shown(register.found(pin)) }),
  getPhoto: (register, { pin }) => {
    const { photo } = register.found(pin);
    if (photo === null) throw new Refusal('NOT_FOUND', 'there is no photo');
    return { status: 'FOUND', photo: { data: photo, type: 'image/jpeg' } };
  },
  listPeople: (register, ask) => {
    const found = [...register.people.values()].filter((person) => matches(person, ask)).sort(byPin);
    return { status: 'FOUND', people: page(found, ask.offset, ask.limit).map(shown), total: found.length };
  },
  changes: (register, ask) => {
    const since = whole(ask.since, 0);
    return { status: 'FOUND', changes: page(register.log.filter(({ number }) => number > since), 0, ask.limit) };
  },
  createPerson: change('CREATED', (register, { person }) => {
    if (register.people.has(person?.pin)) throw new Refusal('ALREADY_EXISTS', 'the pin is taken');
    return { ...checked(person), version: 1, photo: null };
  }),
  replacePerson: change('REPLACED', existing((old, { person }) => checked({ ...person, pin: old.pin }))),
  updatePerson: change('UPDATED', existing((old, { person }) => checked({ ...written(old), ...person, pin: old.pin }))),
  renamePerson: change('RENAMED', existing((old, { person }) => checked({ ...written(old), family: person.family }))),
  deletePerson: change('DELETED', existing(() => null)),
};

/** Changes happen once for each message id. A second one is told so, with what the first was told; so are refusals. */
function change(status, work) {
  return (register, request) => {
    const id = request.message_id;
    const before = id === undefined ? undefined : register.answered.get(id);
    if (before) return before.status === status ? { ...before, status: 'DUPLICATE' } : before;
    const answer = outcome(register, request, status, work);
    if (id !== undefined) register.answered.set(id, answer);
    return answer;
  };
}

function outcome(register, request, status, work) {
  let next;
  try {
    next = work(register, request);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.status, message: error.message };
  }
  const pin = next?.pin ?? key(request);
  if (next) register.people.set(pin, next);
  else register.people.delete(pin);
  register.note(status.toLowerCase(), pin);
  register.applied += 1;
  return next ? { status, person: shown(next) } : { status };
}

/** The work on a record that is there and has the version expected; it gives what the record is to be, or null. */
function existing(work) {
  return (register, request) => {
    const old = register.found(key(request));
    const expected = request.expected_version ?? null;
    if (expected !== null && String(expected) !== String(old.version)) {
      throw new Refusal('VERSION_CONFLICT', 'the version is another one');
    }
    const next = work(old, { ...request, person: request.person ?? {} });
    return next && { ...next, version: old.version + 1, photo: old.photo };
  };
}

function key({ pin, person }) {
  return pin ?? person?.pin;
}

/** What of a person may be written, if it is right. */
function checked(person) {
  const record = written(person ?? {});
  for (const name of TEXTS) {
    if (typeof record[name] !== 'string') throw new Refusal('INVALID_INPUT', `${name} must be text`);
  }
  if (record.pin === '' || record.pin.length > PIN_MAX) throw new Refusal('INVALID_INPUT', 'pin must have a length');
  if (!/^\d{4}-\d{2}-\d{2}$/.test(record.born)) throw new Refusal('INVALID_INPUT', 'born must be a date');
  if (record.notes !== null && typeof record.notes !== 'string') throw new Refusal('INVALID_INPUT', 'notes must be text');
  return record;
}

function written(person) {
  return Object.fromEntries(WRITTEN.map((name) => [name, person[name] ?? null]));
}

function shown({ photo, ...person }) {
  return person;
}

function matches(person, ask) {
  const given = (name) => (ask[name] ?? null) !== null;
  return (!given('pin') || person.pin === ask.pin)
    && (!given('pins') || ask.pins.includes(person.pin))
    && (!given('family') || person.family === ask.family)
    && (!given('given') || person.given === ask.given)
    && (!given('family_prefix') || person.family.startsWith(ask.family_prefix))
    && (!given('born_from') || person.born >= ask.born_from)
    && (!given('born_to') || person.born <= ask.born_to);
}

function page(all, offset, limit) {
  const start = whole(offset, 0);
  return all.slice(start, start + whole(limit, PAGE));
}

/** A whole number from 0 on, which may stand as text; the default when there is none. */
function whole(value, fallback) {
  if (value === undefined || value === null) return fallback;
  if (!/^\d{1,9}$/.test(String(value))) throw new Refusal('INVALID_INPUT', 'paging takes whole numbers');
  return Number(value);
}

function byPin(a, b) {
  return a.pin < b.pin ? -1 : a.pin > b.pin ? 1 : 0;
}

module.exports = { Register };
