'use strict';

// Made-up traders. Nothing here is anybody's number.
const TRADERS = {
  DE000000001: { name: 'Beispiel & Söhne GmbH', address: 'Musterweg 1\n00000 Nirgendwo' },
  AT00000002: { name: 'Österreichische <Muster> AG', address: 'Teststraße 2\n0000 Wien' },
  EL000000003: { name: 'ΠΑΡΑΔΕΙΓΜΑ ΑΕ', address: 'ΟΔΟΣ 3 \n 00000 - ΑΘΗΝΑ' },
  // Some member states tell neither name nor address.
  ES00000004: { name: '---', address: '---' },
  FR00000000005: {},
};

// Numbers by which a client's handling of each fault can be tried, as the service's own test numbers are.
const FAULTS = {
  100: 'INVALID_INPUT',
  200: 'SERVICE_UNAVAILABLE',
  201: 'MS_UNAVAILABLE',
  202: 'TIMEOUT',
  203: 'SERVER_BUSY',
};

function fault(word) {
  const isInput = word === 'INVALID_INPUT';
  return { Fault: { faultcode: isInput ? 'soap:Client' : 'soap:Server', faultstring: word, statusCode: 500 } };
}

function checkVat({ countryCode, vatNumber }) {
  if (!/^[A-Z]{2}$/.test(countryCode || '') || !/^[0-9A-Za-z+*.]{2,12}$/.test(vatNumber || '')) throw fault('INVALID_INPUT');
  if (FAULTS[vatNumber]) throw fault(FAULTS[vatNumber]);
  const trader = TRADERS[countryCode + vatNumber];
  const today = new Date().toISOString().slice(0, 10);
  const answer = { countryCode, vatNumber, requestDate: `${today}+00:00`, valid: Boolean(trader) };
  return trader ? { ...answer, ...trader } : { ...answer, name: '---', address: '---' };
}

function serve(listen, xml) {
  const services = { checkVatService: { checkVatPort: { checkVat, checkVatApprox: () => { throw fault('SERVICE_UNAVAILABLE'); } } } };
  listen({ path: '/checkVatService', services, xml });
}

module.exports = { serve };
