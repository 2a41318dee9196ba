// Verifies signed answers and signs requests, with an implementation of RFC 9421 and a library of cryptography that are
// not ours: `node check.mjs FILE`. The file tells `jwks`, the `answers` to verify, each with its request, the `requests`
// to sign and with which `key`. What it prints are the headers that sign the requests.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSigner, createVerifier, httpbis } from "http-message-signatures";

const ALGORITHMS = { EdDSA: "ed25519", ES256: "ecdsa-p256-sha256" };

const { jwks, answers, requests, key } = JSON.parse(readFileSync(process.argv[2], "utf8"));

async function keyLookup({ keyid }) {
  const jwk = jwks.keys.find((candidate) => candidate.kid === keyid);
  if (!jwk) return null;
  const alg = ALGORITHMS[jwk.alg];
  return { id: keyid, algs: [alg], verify: createVerifier(createPublicKey({ key: jwk, format: "jwk" }), alg) };
}

async function verifies(answer, request) {
  const requiredFields = ["@status", "content-digest", "@method", "@path", "@query"];
  try {
    return (await httpbis.verifyMessage({ keyLookup, requiredFields, all: true }, answer, request)) === true;
  } catch {
    return false;
  }
}

for (const [index, { answer, request }] of answers.entries()) {
  if (!(await verifies(answer, request))) throw new Error(`answer ${index} does not verify`);
  const changed = [
    [{ ...answer, status: 404 }, request],
    [answer, { ...request, url: `${request.url}x` }],
    [answer, { ...request, method: "DELETE" }],
    [{ ...answer, headers: { ...answer.headers, "content-digest": "sha-256=:AAAA:" } }, request],
  ];
  for (const [nth, [other, asked]] of changed.entries()) {
    if (await verifies(other, asked)) throw new Error(`answer ${index} verifies though it is changed (${nth})`);
  }
}

const signed = [];
for (const { request, fields } of requests) {
  const config = {
    key: createSigner(key.pem, key.alg, key.id),
    params: ["created", "keyid", "alg", "nonce"],
    paramValues: { nonce: crypto.randomUUID() },
    fields,
  };
  const { headers } = await httpbis.signMessage(config, request);
  signed.push({ "signature-input": headers["Signature-Input"], signature: headers.Signature });
}
console.log(JSON.stringify(signed));
