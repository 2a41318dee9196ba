// An identity provider that issues access tokens by client credentials, as RFC 9068 says.
//
//   node server.js AUDIENCE... PORT      prints `listening PORT` when it answers; its keys are drawn at each start
//
// The client `service` gets bearer tokens; those of `bound-service` are bound to the certificate in the header
// `x-client-certificate` (base64 of its DER), as a proxy that ends TLS would hand it on (RFC 8705).
import { X509Certificate, generateKeyPairSync, randomUUID } from 'node:crypto';

import Provider, { errors } from 'oidc-provider';

const audiences = process.argv.slice(2, -1);
const port = Number(process.argv.at(-1));

const client = (client_id, more) => ({
  client_id,
  client_secret: 'secret-of-the-tests',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: 'people',
  ...more,
});

const key = (algorithm, type, options) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' };
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client('service'), client('bound-service', { tls_client_certificate_bound_access_tokens: true })],
  cookies: { keys: [randomUUID()] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => {
        const der = ctx.get('x-client-certificate');
        return der ? new X509Certificate(Buffer.from(der, 'base64')) : undefined;
      },
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => {
        if (!audiences.includes(resource)) {
          throw new errors.InvalidTarget();
        }
        return { scope: 'people', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },
  jwks: { keys: [key('ES256', 'ec', { namedCurve: 'P-256' }), key('RS256', 'rsa', { modulusLength: 2048 })] },
  scopes: ['people'],
});

provider.listen(port, '127.0.0.1', () => console.log(`listening ${port}`));
