// Making elements, and saying numbers and times. Text is only ever set as text: nothing that the agent
// sends can become markup.

export const $ = id => document.getElementById(id);

// el('a', {href: '#/', class: 'x', onclick: f, 'aria-label': 'y'}, 'text', node, null …)
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const count = value => value.toLocaleString('en');
export const usd = value => value.toLocaleString('en', {style: 'currency', currency: 'USD', maximumFractionDigits: Math.abs(value) < 1 ? 4 : 2});
export const percent = ratio => `${Math.round(ratio * 100)}%`;

export function span(seconds) {
  const s = Math.abs(seconds);
  if (s < 60) return `${Math.round(s)}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`;
}

// "3m ago", "in 2h 5m"; the exact time as a tooltip.
export function when(time) {
  if (!time) return el('span', {}, '–');
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  return el('time', {datetime: time, title: new Date(time).toLocaleString()},
    seconds < 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`);
}

// "2026-11-27T03:00:00+08:00", for people.
export const localTime = text => text.replace('T', ' ').replace(/:\d\d(?=[+-])/, ' ');

export const state = name => el('span', {class: `state ${name}`}, name);
// Of a key, which may be in a drill: what is believed of it stays what it is.
export const stateOf = key => el('span', {}, state(key.state), key.in_drill ? el('span', {class: 'dim'}, ' (drill)') : null);

export function bar(quota, large = false) {
  const fill = el('i');
  fill.style.width = percent(Math.min(quota.ratio, 1));
  const ticks = quota.thresholds.map(threshold => {
    const tick = el('u');
    tick.style.left = percent(threshold);
    return tick;
  });
  return el('span', {class: `bar l${quota.level}${large ? ' large' : ''}`, role: 'meter', 'aria-valuemin': 0, 'aria-valuemax': 100,
    'aria-valuenow': Math.min(100, Math.round(quota.ratio * 100)), 'aria-label': `${quota.id}: ${quotaText(quota)}`}, fill, ticks);
}

const amount = (quota, value) => quota.unit === 'usd' ? usd(value) : `${count(Math.round(value))}`;
export const quotaText = quota => `${amount(quota, quota.used)} of ${amount(quota, quota.limit)}${quota.unit === 'usd' ? '' : ' ' + quota.unit}`;
export function forecast(quota) {
  if (quota.ratio >= 1) return 'used up';
  if (quota.exhausts_before_reset) return `used up in ${span((Date.parse(quota.exhausted_at) - Date.now()) / 1000)} at this rate`;
  return 'lasts until its reset';
}

// A card that may be wider than the screen: by keyboard it is scrolled like anything else.
export const wideCard = name => el('div', {class: 'card scroll', role: 'region', 'aria-label': name, tabindex: '0'});

// The same where there is little room: only what is to be worried about.
export const warning = quota => quota.ratio >= 1 ? 'used up' : quota.exhausts_before_reset ? `${span((Date.parse(quota.exhausted_at) - Date.now()) / 1000)} left` : '';

export function table(caption, heads, rows, empty) {
  if (!rows.length) return el('p', {class: 'empty'}, empty);
  const head = el('tr', {}, heads.map((text, i) => el('th', {scope: 'col', class: rows[0][i]?.num !== undefined ? 'num' : null}, text)));
  const body = rows.map(cells => el('tr', {}, cells.map(cell => {
    if (cell?.wide !== undefined) return el('td', {class: 'wide'}, cell.wide);
    if (cell?.num !== undefined) return el('td', {class: 'num'}, String(cell.num));
    return el('td', {}, cell instanceof Node ? cell : String(cell ?? '–'));
  })));
  return el('table', {}, el('caption', {class: 'visually-hidden'}, caption), el('thead', {}, head), el('tbody', {}, body));
}

// Bars of equal width; `labels` stand below the first and the last.
export function chart(values, name, labels) {
  const most = Math.max(...values) || 1, width = 600 / values.length;
  const bars = values.map((value, i) => svg('rect', {x: i * width + 1, y: 100 - 96 * value / most, width: Math.max(width - 2, 1),
    height: 96 * value / most}, svg('title', {}, count(value))));
  return svg('svg', {class: 'chart', viewBox: '0 0 600 120', preserveAspectRatio: 'none', role: 'img', 'aria-label': name}, ...bars,
    svg('text', {x: 0, y: 116}, labels[0]), svg('text', {x: 600, y: 116, 'text-anchor': 'end'}, labels[1]));
}

export function spark(values, name) {
  const most = Math.max(...values) || 1, width = 96 / values.length;
  return svg('svg', {class: 'spark', viewBox: '0 0 96 24', role: 'img', 'aria-label': name},
    ...values.map((value, i) => svg('rect', {x: i * width, y: 23 - 22 * value / most, width: Math.max(width - 1, .5), height: 1 + 22 * value / most})));
}

export function say(text) { $('said').textContent = text; }

// act() at once, but not again before so many ms are over: asked for meanwhile, it is done then.
export function seldom(act, every = 2000) {
  let last = 0, timer = 0;
  const now = () => { timer = 0; last = Date.now(); act(); };
  return () => { if (!timer) timer = setTimeout(now, Math.max(0, last + every - Date.now())); };
}

// Replaces the children, and keeps the focus on what has the same id.
export function show(target, ...children) {
  const focused = target.contains(document.activeElement) ? document.activeElement.id : '';
  target.replaceChildren(...children.flat(Infinity).filter(child => child));
  if (focused) $(focused)?.focus({preventScroll: true});
}
