// Plays the person at a browser: goes where pages send it, keeps cookies by host, fills in the forms it knows, and
// prints the page at the end.
const plain = (html) => html?.replace(/&(#38|amp|#34|#39);/g, (_, name) => ({ 34: '"', 39: "'" })[name.slice(1)] ?? '&');
const attribute = (tag, name) => plain(tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1]);
const cookies = new Map();

// Which form to send, by a word in it, and what to fill in.
const known = [
  ['Se connecter comme professionnel', {}],
  ['Dr Hélène Lefèvre', {}],
  ['name="identifier"', { system: 'urn:oid:1.2.250.1.213.1.4.11', identifier: '148019999904144', decision: 'allow' }],
];

const ask = async (url, fields) => {
  const jar = cookies.get(url.host) ?? cookies.set(url.host, new Map()).get(url.host);
  const headers = { Accept: 'text/html', Cookie: [...jar].map((pair) => pair.join('=')).join('; ') };
  if (fields) headers['Sec-Fetch-Site'] = 'same-origin';
  const method = fields ? 'POST' : 'GET';
  const answer = await fetch(url, { method, headers, body: fields && new URLSearchParams(fields), redirect: 'manual' });
  for (const set of answer.headers.getSetCookie()) {
    const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
    if (value === '' || set.includes('Max-Age=0')) jar.delete(name);
    else jar.set(name, value);
  }
  return answer;
};

const begun = async (url) => {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask(url);
    } catch (error) {
      // The app may need a moment to listen.
      if (tries === 50) throw error;
      await new Promise((on) => setTimeout(on, 100));
    }
  }
};

let at = new URL(process.argv[2]);
let answer = await begun(at);
for (let steps = 0; steps < 30; steps += 1) {
  const html = await answer.text();
  const on = answer.headers.get('location') ?? plain(html.match(/content="0;\s*url=([^"]*)"/)?.[1]);
  if (on) {
    at = new URL(on, at);
    answer = await ask(at);
    continue;
  }
  const forms = html.split('<form').slice(1).map((form) => form.split('</form>')[0]);
  const [word, fills] = known.find(([word]) => forms.some((form) => form.includes(word))) ?? [];
  if (!word) {
    if (!answer.ok) throw new Error(`${answer.status} at ${at}: ${html}`);
    console.log(html);
    process.exit();
  }
  const form = forms.find((form) => form.includes(word));
  const inputs = form.split('<input').slice(1).map((input) => input.split('>')[0]);
  const given = inputs.map((input) => [attribute(input, 'name'), attribute(input, 'value') ?? '']);
  at = new URL(attribute(form.split('>')[0], 'action'), at);
  answer = await ask(at, [...given.filter(([name]) => !(name in fills)), ...Object.entries(fills)]);
}
throw new Error(`sent in circles, at last to ${at}`);
