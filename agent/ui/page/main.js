// The page's state: what the agent said last, who we are, and which view shows it.

import {$, el, say, show} from './dom.js';
import * as agent from './agent.js';
import {herdView} from './herd.js';
import {keyView} from './key.js';
import {poolView} from './pool.js';

export const model = {status: null, me: {role: 'read', pools: []}, today: null, schedule: [], rotations: [], at: 0};
const kRoles = ['metrics', 'read', 'consume', 'operate', 'admin'];
export const may = role => kRoles.indexOf(model.me.role) >= kRoles.indexOf(role);

let view = null;  // {draw(), key?}
let loading = null, again = false, timer = 0, lastTook = 0;

function open() {
  const [, kind, id] = location.hash.split('/');
  const name = id ? decodeURIComponent(id) : '';
  view = kind === 'keys' ? keyView(name) : kind === 'pools' ? poolView(name) : herdView();
  $('view').replaceChildren(view.root);
  document.title = name ? `${name} – Keyherd` : 'Keyherd';
  if (model.status) view.draw();
}

function live(state) {
  const words = {live: 'live', broken: 'the agent does not answer; trying again', refused: 'not signed in'};
  $('live').className = state;
  $('live-text').textContent = words[state];
}

function askWho(why) {
  $('login').hidden = false;
  $('login-why').textContent = why;
  $('view').hidden = true;
  live('refused');
}

async function fetchAll() {
  const began = performance.now();
  const [me, status, usage, schedule, rotations] = await Promise.all([
    agent.get('/api/v1/whoami'), agent.get('/api/v1/status'), agent.get('/api/v1/usage?by=day&from=1d'),
    agent.get('/api/v1/schedule?count=6'), agent.get('/api/v1/rotations?limit=8')]);
  Object.assign(model, {me, status, schedule, rotations, today: usage.at(-1) ?? null, at: Date.now()});
  lastTook = performance.now() - began;
}

// One at a time; what changes meanwhile is fetched once more.
export async function refresh() {
  if (loading) { again = true; return loading; }
  loading = (async () => {
    try {
      do {
        again = false;
        await fetchAll();
      } while (again);
      $('login').hidden = true;
      $('view').hidden = false;
      view.draw();
    } catch (problem) {
      if (problem.status === 401 || problem.status === 429) askWho(agent.hasToken() || problem.status === 429 ? problem.message : '');
      else if (problem.status === 403) askWho(`This token may not see the herd: ${problem.message}`);
      else live('broken');
    } finally {
      loading = null;
      plan();
    }
  })();
  return loading;
}

// Numbers drift without an event: often for few keys, seldom for many.
function plan(soon = Math.max(5000, lastTook * 20)) {
  clearTimeout(timer);
  timer = setTimeout(() => document.hidden ? plan() : refresh(), soon);
}

let waiting = 0;
function onEvent(type, data) {
  if (type === 'key') say(`${data.key} is ${data.state}`);
  if (type === 'provider') say(`${data.provider} is ${data.up ? 'up' : 'down'}`);
  clearTimeout(waiting);  // a storm of events is one refresh
  waiting = setTimeout(refresh, 250);
}

async function start() {
  await refresh();
  if ($('login').hidden) agent.follow({event: onEvent, state: live});
}

$('login').addEventListener('submit', event => {
  event.preventDefault();
  agent.signIn($('token').value);
  $('token').value = '';
  start();
});
addEventListener('hashchange', () => { open(); $('content').focus(); scrollTo(0, 0); });
document.addEventListener('visibilitychange', () => document.hidden || refresh());

// Asks before it acts: build(body) fills the dialog and returns what its button does.
export function dialog(title, build) {
  const body = el('div'), outcome = el('p', {class: 'outcome', role: 'status'});
  const box = el('dialog', {'aria-labelledby': 'dialog-title'}, el('h2', {id: 'dialog-title'}, title), body, outcome);
  box.addEventListener('close', () => box.remove());
  build(body, box, text => { outcome.textContent = text; });
  document.body.append(box);
  box.showModal();
  return box;
}

// A button that does something at the agent and says what came of it.
export function action(label, act, more = {}) {
  const button = el('button', {...more, type: 'button', onclick: async () => {
    button.disabled = true;
    try {
      say(await act() ?? `${label}: done`);
      await refresh();
    } catch (problem) {
      say(problem.message);
      show($('notice') ?? el('p'), el('p', {class: 'trouble'}, problem.message));
    } finally {
      button.disabled = false;
    }
  }}, label);
  return button;
}

open();
start();
