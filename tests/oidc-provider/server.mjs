// A certified OpenID provider whose people say who they are: for the tests of signing in, and nothing else.
// Told by GARANT_OIDC (JSON): { issuer, port, client, house, jwks, claims: { SUBJECT: { claim: value } } }.
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const told = JSON.parse(process.env.GARANT_OIDC);

const provider = new Provider(told.issuer, {
  clients: [{
    client_id: told.client,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: told.jwks,
    redirect_uris: [`${told.house}/login/callback`],
    post_logout_redirect_uris: [`${told.house}/login`],
    backchannel_logout_uri: `${told.house}/oidc/backchannel-logout`,
    backchannel_logout_session_required: true,
    id_token_signed_response_alg: 'RS256',
    require_auth_time: true,
  }],
  acrValues: ['eidas2'],
  // What is not in the ID token is in `userinfo`, as OpenID Connect Core §5.4 has it.
  claims: { openid: ['sub', 'SubjectNameID', 'SubjectRole', 'SubjectOrganizationID'] },
  cookies: { keys: ['for tests only'] },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: true },
  },
  // Out of the box it speaks to no address of this machine, so that its back channel would never reach the tests.
  fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...told.claims[id] }) }),
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
});

const asked = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return asked(request, response);
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html');
    return response.end(`<form method="post" action="${request.url}"><input name="login" value=""><button>Sign in</button></form>`);
  }
  let body = '';
  for await (const part of request) body += part;
  const login = { accountId: new URLSearchParams(body).get('login'), acr: 'eidas2', amr: ['otp'], remember: false };
  return provider.interactionFinished(request, response, { login });
}).listen(told.port, '127.0.0.1', () => console.log('ready'));
