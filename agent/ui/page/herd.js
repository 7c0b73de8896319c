// The herd on one screen.

import {bar, count, el, localTime, percent, say, show, spark, stateOf, table, usd, warning, when, wideCard} from './dom.js';
import {model} from './main.js';
import {virtualList} from './list.js';
import {fetchSparks, sparkOf} from './usage.js';

const kStates = ['healthy', 'degraded', 'throttled', 'exhausted', 'dead', 'paused', 'unknown'];
// What one looks for stays while one looks at a key and comes back.
const wanted = {q: '', state: '', provider: '', pool: '', label: ''};

const link = (kind, id) => el('a', {href: `#/${kind}/${encodeURIComponent(id)}`}, id);
// The one to worry about: the fullest.
const worst = quotas => quotas.reduce((most, quota) => !most || quota.ratio > most.ratio ? quota : most, null);

function rowOf(key) {
  const quota = worst(key.quotas), values = sparkOf(key.id);
  return [
    el('span', {role: 'cell', class: 'c-id'}, link('keys', key.id)),
    el('span', {role: 'cell', class: 'c-provider dim'}, key.provider),
    el('span', {role: 'cell', class: 'c-state'}, stateOf(key)),
    el('span', {role: 'cell', class: 'c-since dim'}, when(key.since)),
    el('span', {role: 'cell', class: 'c-quota'}, quota ? [bar(quota), ` ${percent(quota.ratio)} `, el('span', {class: 'warn'}, warning(quota))] : '–'),
    el('span', {role: 'cell', class: 'c-spark'}, values ? spark(values, `requests in the last day: ${count(values.reduce((a, b) => a + b, 0))}`) : ''),
    el('span', {role: 'cell', class: 'c-cost num'}, usd(key.usage.cost_usd)),
    el('span', {role: 'cell', class: 'c-why dim', title: key.why}, key.why),
  ];
}

function matches(key, pools) {
  const text = wanted.q.toLowerCase();
  return (!wanted.state || key.state === wanted.state) && (!wanted.provider || key.provider === wanted.provider)
    && (!wanted.pool || pools.get(wanted.pool)?.has(key.id)) && (!wanted.label || Object.entries(key.labels).some(([n, v]) => `${n}=${v}` === wanted.label))
    && (!text || [key.id, key.provider, key.limit_group, key.fingerprint, key.why, ...Object.values(key.labels)].some(field => field.toLowerCase().includes(text)));
}

function options(select, name, values) {
  const current = [...select.options].slice(1).map(option => option.value);
  if (select.options.length && current.join('\n') === values.join('\n')) return;
  select.replaceChildren(el('option', {value: ''}, `any ${name}`), ...values.map(value => el('option', {value}, value)));
  select.value = wanted[name];
}

const troubles = status => [
  ...status.providers.filter(provider => !provider.up).map(provider => `Provider ${provider.id} is down: ${provider.incident}`),
  ...(status.agent.ready ? [] : [`The agent is not ready: ${status.agent.not_ready_because}`]),
  ...(status.agent.config_reload_ok ? [] : [`The last reload failed: ${status.agent.config_error}`]),
  ...status.pools.filter(pool => pool.drill).map(pool => `A drill is under way in pool ${pool.id}: ${pool.drill.key} is treated as revoked`),
  ...status.pools.filter(pool => pool.problem).map(pool => pool.problem[0].toUpperCase() + pool.problem.slice(1)),
];

export function herdView() {
  const trouble = el('div', {role: 'alert'}), tiles = el('div', {class: 'tiles', role: 'group', 'aria-label': 'The herd by state'});
  const pools = wideCard('Pools'), incidents = wideCard('Providers'), next = wideCard('Next rotations');
  const recent = wideCard('Recent rotations'), logs = wideCard('Usage logs');
  const number = el('span', {class: 'dim', id: 'number', role: 'status'});
  const search = el('input', {id: 'q', type: 'search', placeholder: 'id, provider, label, reason …', value: wanted.q, oninput: filter});
  const selects = Object.fromEntries(['state', 'provider', 'pool', 'label'].map(name => [name, el('select', {id: `f-${name}`, onchange: filter})]));
  const list = virtualList('Keys', [['key', 'id'], ['provider', 'provider'], ['state', 'state'], ['since', 'since'], ['fullest quota', 'quota'],
    ['last day', 'spark'], ['cost', 'cost'], ['why', 'why']], rowOf);
  const none = el('p', {class: 'empty', hidden: true}, 'No key fits.');
  list.onsettle(sparks);

  async function sparks(items) {
    try {
      if (await fetchSparks(items.map(key => key.id))) list.redraw();
    } catch { /* the next refresh tells */ }
  }

  function filter() {
    wanted.q = search.value;
    for (const [name, select] of Object.entries(selects)) wanted[name] = select.value;
    list.toTop();
    draw();
    say(number.textContent);
  }

  function drawTiles(status) {
    const have = new Map();
    for (const key of status.keys) have.set(key.state, (have.get(key.state) ?? 0) + 1);
    const tile = (value, name, filterBy) => filterBy
      ? el('button', {class: 'tile', type: 'button', id: `tile-${filterBy}`, 'aria-pressed': String(wanted.state === filterBy),
        onclick: () => { selects.state.value = wanted.state === filterBy ? '' : filterBy; filter(); }}, el('b', {class: value ? filterBy : 'dim'}, count(value)), el('span', {}, name))
      : el('div', {class: 'tile'}, el('b', {}, value), el('span', {}, name));
    const alone = status.pools.filter(pool => !pool.survives_key_loss).length;
    show(tiles, tile(count(status.keys.length), 'keys'), kStates.filter(name => have.has(name) || name === 'healthy' || name === 'dead')
      .map(name => tile(have.get(name) ?? 0, name, name)),
    tile(usd(model.today?.cost_usd ?? 0), 'cost today'), tile(count(model.today?.requests ?? 0), 'requests today'), tile(count(alone), 'pools without a spare'));
  }

  function spare(pool) {
    return pool.survives_key_loss
      ? el('span', {class: 'yes', title: 'any one key or limit group may fail: the others, and what is left of their quotas, carry the load'}, 'yes')
      : el('span', {class: 'no', title: 'if one more key or limit group failed, the others, or what is left of their quotas, would not carry the load'}, 'no');
  }

  function drawPools(status) {
    show(pools, table('Pools', ['pool', 'active key', 'generation', 'usable', 'spare', 'used up', 'next rotation', 'remarks'], status.pools.map(pool =>
      [link('pools', pool.id), pool.active ? link('keys', pool.active) : '–', {num: pool.generation}, {num: `${pool.available} / ${pool.keys.length}`},
        spare(pool), when(pool.exhausted_at), when(pool.next_rotation_at),
        {wide: pool.problem || (pool.freeze ? `frozen by ${pool.freeze.by}` : '')}]), 'No pools are configured.'));
  }

  function drawRest(status) {
    show(incidents, table('Providers', ['provider', 'type', 'up', 'incident'], status.providers.map(p => [p.id, p.type,
      el('span', {class: p.up ? 'yes' : 'no'}, p.up ? 'yes' : 'no'), {wide: p.up ? '' : [p.incident, ' (', when(p.incident_since), ')']}]), 'No providers are configured.'));
    show(next, table('Next rotations', ['schedule', 'when', 'local time'], model.schedule.map(f => [f.schedule, when(f.at), localTime(f.local)]), 'Nothing is scheduled.'));
    show(recent, table('Recent rotations', ['pool', 'to', 'state', 'when', 'reason'], model.rotations.map(r => [link('pools', r.pool), r.to ?? '–',
      el('span', {class: ['rolled_back', 'needs_human', 'refused'].includes(r.state) ? 'no' : ''}, r.state.replace('_', ' ')), when(r.started_at), {wide: r.reason}]), 'None so far.'));
    show(logs, table('Usage logs', ['log', 'state', 'records', 'rejected', 'behind', 'last record'], status.sources.map(s => [s.id,
      el('span', {class: s.up ? 'yes' : 'no'}, s.up ? 'readable' : s.problem || 'not readable'), {num: count(s.records)},
      {num: count(Object.values(s.rejected).reduce((a, b) => a + b, 0))}, {num: `${count(s.lag_bytes)} B`}, when(s.last_record_at)]), 'No usage logs are configured.'));
  }

  function draw() {
    const status = model.status;
    show(trouble, troubles(status).map(text => el('p', {class: 'trouble'}, text)));
    options(selects.state, 'state', kStates);
    options(selects.provider, 'provider', status.providers.map(provider => provider.id));
    options(selects.pool, 'pool', status.pools.map(pool => pool.id));
    options(selects.label, 'label', [...new Set(status.keys.flatMap(key => Object.entries(key.labels).map(([n, v]) => `${n}=${v}`)))].sort());
    drawTiles(status);
    drawPools(status);
    const members = new Map(status.pools.map(pool => [pool.id, new Set(pool.keys)]));
    const fitting = status.keys.filter(key => matches(key, members));
    number.textContent = fitting.length === status.keys.length ? `${count(fitting.length)} keys` : `${count(fitting.length)} of ${count(status.keys.length)} keys`;
    none.hidden = fitting.length > 0;
    sparks(list.set(fitting));
    drawRest(status);
  }

  const root = el('div', {}, trouble, tiles, el('h2', {}, 'Pools'), pools,
    el('div', {class: 'row heading'}, el('h2', {}, 'Keys'), number),
    el('form', {class: 'filters', role: 'search', onsubmit: event => event.preventDefault()}, el('label', {}, 'Search', search),
      Object.entries(selects).map(([name, select]) => el('label', {}, name[0].toUpperCase() + name.slice(1), select))),
    list.root, none,
    el('div', {class: 'columns'},
      el('section', {}, el('h2', {}, 'Next rotations'), next), el('section', {}, el('h2', {}, 'Recent rotations'), recent),
      el('section', {}, el('h2', {}, 'Providers'), incidents), el('section', {}, el('h2', {}, 'Usage logs'), logs)));
  return {root, draw};
}
