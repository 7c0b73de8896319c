// Talking to the agent: requests with the tab's token, and its events.

const kToken = 'keyherd.token';
let token = sessionStorage.getItem(kToken) || '';

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function signIn(given) {
  token = given.trim();
  sessionStorage.setItem(kToken, token);
}
export function signOut() {
  token = '';
  sessionStorage.removeItem(kToken);
}
export const hasToken = () => token !== '';

const headers = more => ({...(token ? {Authorization: `Bearer ${token}`} : {}), ...more});

async function answer(response) {
  if (response.ok) return response.json();
  let message = `the agent answered ${response.status}`, body = null;
  try {
    body = await response.json();
    message = body.error?.message ?? body.reason ?? message;
  } catch { /* no JSON: the status has to do */ }
  const refused = new Refused(response.status, message);
  refused.body = body;
  throw refused;
}

export const get = async path => answer(await fetch(path, {headers: headers()}));
export const post = async (path, body = {}) => answer(await fetch(path,
  {method: 'POST', headers: headers({'Content-Type': 'application/json'}), body: JSON.stringify(body)}));

export const keyPath = (id, more = '') => `/api/v1/keys/${encodeURIComponent(id)}${more}`;
export const poolPath = (id, more = '') => `/api/v1/pools/${encodeURIComponent(id)}${more}`;

// Calls on.event(type, data) for each event and on.state('live' | 'broken' | 'refused') for each change of the
// connection. EventSource cannot send a token: this is its protocol over fetch. Comes back by itself, and
// goes on where it was.
export async function follow(on) {
  let last = '';
  for (let wait = 1000; ; wait = Math.min(wait * 2, 30000)) {
    try {
      const response = await fetch('/api/v1/events', {headers: headers(last ? {'Last-Event-ID': last} : {})});
      if (response.status === 401 || response.status === 403) return on.state('refused');
      if (!response.ok) throw new Error(`status ${response.status}`);
      on.state('live');
      wait = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; ;) {
        const {value, done} = await reader.read();
        if (done) break;
        const blocks = (text + value).split('\n\n');
        text = blocks.pop();
        for (const block of blocks) {
          const field = name => block.split('\n').find(line => line.startsWith(name + ': '))?.slice(name.length + 2);
          if (field('id')) last = field('id');
          if (field('event')) on.event(field('event'), JSON.parse(field('data')));
        }
      }
    } catch { /* a connection that breaks is told below, and tried again */ }
    on.state('broken');
    await new Promise(resolve => setTimeout(resolve, wait));
  }
}
