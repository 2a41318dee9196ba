'use strict';

// SOAP services by an established library, for tests of the soap connector.
//
//   node server.js vies PORT [checkVatService.wsdl]   the EU's VAT number service, with made-up numbers
//   node server.js people PORT                        a register of people that can be changed
//
// Without the service's own description (also VIES_WSDL names it) vies takes vat.wsdl, a short one of the same calls.
// PORT 0 takes a free one. `listening PORT` on standard output says that it is ready; it ends with standard input.

const fs = require('fs');
const http = require('http');
const path = require('path');
const soap = require('soap');

const vies = require('./vies');
const people = require('./people');

function main([kind, port, wsdl]) {
  const server = http.createServer((request, response) => {
    if (kind === 'people' && people.control(request, response)) return;
    response.writeHead(404);
    response.end();
  });
  server.listen(Number(port || 0), '127.0.0.1', () => {
    const listen = (options) => soap.listen(server, options);
    if (kind === 'vies') {
      vies.serve(listen, fs.readFileSync(wsdl || process.env.VIES_WSDL || path.join(__dirname, 'vat.wsdl'), 'utf8'));
    } else {
      people.serve(listen, fs.readFileSync(path.join(__dirname, 'people.wsdl'), 'utf8'));
    }
    console.log(`listening ${server.address().port}`);
  });
  // Whoever started this may die without a word.
  if (process.env.UNTIL_STDIN_ENDS) {
    process.stdin.on('end', () => process.exit(0));
    process.stdin.resume();
  }
}

if (!['vies', 'people'].includes(process.argv[2])) {
  console.error('usage: node server.js vies PORT [WSDL] | node server.js people PORT');
  process.exit(2);
}
main(process.argv.slice(2));
