// One key: what is believed of it and why, what it has left, how it is used.

import {bar, chart, count, el, forecast, percent, quotaText, seldom, show, state, stateOf, usd, when} from './dom.js';
import * as agent from './agent.js';
import {action, may, model} from './main.js';
import {lastDays, lastHours, usageOf} from './usage.js';

const link = id => el('a', {href: `#/pools/${encodeURIComponent(id)}`}, id);

// Changes of state and the evidence between them, newest first.
function timeline(story) {
  const entries = [
    ...story.changes.map(c => ({at: c.at, what: [state(c.from), ' → ', state(c.to)], text: c.why})),
    ...story.evidence.map(e => ({at: e.at, what: [`${e.source === 'probe' ? `probe${e.probe ? ` (${e.probe})` : ''}` : e.source}: `,
      el('b', {}, e.verdict), e.count > 1 ? ` × ${count(e.count)}` : '', e.http_status ? ` – ${e.http_status}` : '', e.latency_ms ? `, ${e.latency_ms} ms` : ''],
    text: e.message}))];
  entries.sort((a, b) => b.at.localeCompare(a.at));
  return entries.length
    ? el('ol', {class: 'timeline'}, entries.slice(0, 60).map(entry => el('li', {}, when(entry.at), ' ', entry.what, entry.text ? el('p', {class: 'dim'}, entry.text) : null)))
    : el('p', {class: 'empty'}, 'No evidence yet.');
}

const quotaCard = quota => el('div', {}, el('p', {}, el('b', {}, quota.id), quota.owner.startsWith('group:') ? ' (shared by its limit group)' : '',
  ` – ${quotaText(quota)}, ${percent(quota.ratio)}`), bar(quota, true),
el('p', {class: 'dim'}, forecast(quota), quota.resets_at ? [', resets ', when(quota.resets_at)] : ''));

export function keyView(id) {
  const root = el('div');
  let story = null, usage = null, problem = '';

  const fetchMore = seldom(async () => {
    try {
      [story, usage] = await Promise.all([agent.get(agent.keyPath(id, '/explain')), usageOf(id)]);
      problem = '';
    } catch (error) {
      problem = error.message;
    }
    paint();
  });

  function actions(key) {
    if (!may('operate')) return el('p', {class: 'dim'}, `Role ${model.me.role}: to look, not to touch.`);
    return el('div', {class: 'row'},
      action('Probe now', async () => { const found = await agent.post(agent.keyPath(id, '/probe')); return `${id}: ${found.verdict}`; }, {id: 'probe'}),
      key.state === 'paused' ? action('Resume', async () => { await agent.post(agent.keyPath(id, '/resume')); return `${id} is back in service`; }, {id: 'resume'})
        : action('Pause', async () => { await agent.post(agent.keyPath(id, '/pause')); return `${id} is out of service`; }, {id: 'pause'}));
  }

  function paint() {
    const key = model.status.keys.find(each => each.id === id);
    if (!key) return show(root, el('p', {}, el('a', {href: '#/'}, '← The herd')), el('h2', {}, id), el('p', {class: 'trouble'}, 'There is no such key, or not for you.'));
    const pools = model.status.pools.filter(pool => pool.keys.includes(id));
    const quotas = [...key.quotas, ...model.status.group_quotas.filter(quota => quota.owner === `group:${key.limit_group}`)];
    const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, value)];
    show(root,
      el('p', {}, el('a', {href: '#/', id: 'back'}, '← The herd')), el('h2', {}, id, ' ', stateOf(key)), el('p', {}, key.why),
      el('div', {id: 'notice', role: 'alert'}), actions(key), problem ? el('p', {class: 'trouble'}, problem) : null,
      el('div', {class: 'columns'},
        el('section', {}, el('h3', {}, 'Facts'), el('dl', {class: 'facts card pad'},
          fact('Provider', key.provider), fact('Limit group', key.limit_group), fact('Pools', pools.length ? pools.flatMap((pool, i) => [i ? ', ' : '', link(pool.id), pool.active === id ? ' (active)' : '']) : '–'),
          fact('Verdict', key.verdict ?? '–'), fact('In this state since', when(key.since)), fact('Left alone until', when(key.cooldown_until)),
          fact('Last probe', when(key.last_probe_at), key.latency_ms === null ? '' : `, ${key.latency_ms} ms`), fact('Last success', when(key.last_success_at)),
          fact('Expires', when(key.expires_at)), fact('Fingerprint', el('code', {}, key.fingerprint || '–')), fact('Secret from', el('code', {}, key.secret)),
          fact('Labels', Object.entries(key.labels).map(([n, v]) => `${n}=${v}`).join(', ') || '–'),
          fact('Balance', key.balances.map(b => `${b.amount} ${b.currency}`).join(', ') || '–'),
          fact('All in all', `${count(key.usage.requests)} requests (${count(key.usage.failed_requests)} failed), ${usd(key.usage.cost_usd)}`)),
        el('h3', {}, 'Evidence'), el('div', {class: 'card pad'}, story ? timeline(story) : '…')),
        el('section', {}, el('h3', {}, 'Quotas'), el('div', {class: 'card pad'}, quotas.length ? quotas.map(quotaCard) : el('p', {class: 'dim'}, 'None is configured.')),
          el('h3', {}, 'Requests by hour'), el('div', {class: 'card pad'}, usage ? chart(usage.hours, `requests by hour, in all ${count(usage.hours.reduce((a, b) => a + b, 0))}`, ['a day ago', `now (${lastHours().at(-1).slice(11)}:00 UTC)`]) : '…'),
          el('h3', {}, 'Cost by day'), el('div', {class: 'card pad'}, usage ? chart(usage.days, `cost by day, in all ${usd(usage.days.reduce((a, b) => a + b, 0))}`, [lastDays(14)[0], 'today']) : '…'))));
  }

  return {root, draw() { paint(); fetchMore(); }};
}
