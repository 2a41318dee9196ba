// Made-up entities: 257 of them, the same with every start. No number here can be anybody's: the real ones begin with 8
// or 9 and end with a check digit (modulus 11), these begin with 1.
'use strict';

const FORMS = { AS: 'Aksjeselskap', ENK: 'Enkeltpersonforetak', FLI: 'Forening/lag/innretning', KOMM: 'Kommune', STI: 'Stiftelse' };
const TRADES = { '01.110': 'Dyrking av korn', '03.111': 'Hav- og kystfiske', '47.111': 'Butikkhandel med bredt vareutvalg', '62.010': 'Programmeringstjenester' };
const SECTORS = { 2100: 'Private aksjeselskaper mv.', 6500: 'Kommuneforvaltningen', 8200: 'Personlig næringsdrivende' };
const PLACES = ['Nordvik', 'Sørlia', 'Østmo', 'Ålgård', 'Bærvær', 'Tromøya'];
const WORDS = ['Fiskeri', 'Kornsilo', 'Programvare', 'Landhandel', 'Båtforening', 'Musikkorps'];

const COUNT = 257;

const coded = (codes, at) => {
  const kode = Object.keys(codes).sort()[at % Object.keys(codes).length];
  return { kode, beskrivelse: codes[kode] };
};

const day = (at) => new Date(Date.UTC(1995, 1, 19) + at * 37 * 86400000).toISOString().slice(0, 10);

function entity(at) {
  const form = coded(FORMS, at);
  const made = {
    organisasjonsnummer: String(100000000 + at * 7),
    navn: `${PLACES[at % PLACES.length]} ${WORDS[(at * 5) % WORDS.length]} ${form.kode} ${at}`.toUpperCase(),
    organisasjonsform: form,
    registreringsdatoEnhetsregisteret: day(at),
    registrertIMvaregisteret: at % 3 !== 0,
    naeringskode1: coded(TRADES, at),
    institusjonellSektorkode: coded(SECTORS, at),
    registrertIForetaksregisteret: form.kode === 'AS',
    registrertIStiftelsesregisteret: form.kode === 'STI',
    registrertIFrivillighetsregisteret: form.kode === 'FLI',
    konkurs: at % 50 === 49,
    underAvvikling: at % 40 === 39,
    underTvangsavviklingEllerTvangsopplosning: false,
    maalform: at % 4 === 0 ? 'Nynorsk' : 'Bokmål',
  };
  // Most members are left out where there is nothing to say.
  if (at % 5 !== 4) made.antallAnsatte = (at * 13) % 400;
  if (at % 2 === 0) made.stiftelsedato = day(at - 20);
  if (at % 6 === 0) made.naeringskode2 = coded(TRADES, at + 1);
  if (at % 12 === 0) made.naeringskode3 = coded(TRADES, at + 2);
  if (form.kode === 'AS') made.sisteInnsendteAarsregnskap = String(2015 + (at % 10));
  return made;
}

module.exports = {
  entities: Array.from({ length: COUNT }, (_, at) => entity(at)),
  /** Numbers of entities that were taken out of the register for legal reasons. */
  removed: new Set(['199999999']),
};
