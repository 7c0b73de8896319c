// A drill: the active key is treated as revoked, what happens is measured, graded and put back.

import {el, span, when} from './dom.js';
import * as agent from './agent.js';
import {dialog, refresh} from './main.js';

const kSteps = [['detection', 'detected'], ['switch', 'switched'], ['publication', 'published'], ['adoption', 'adopted']];
const kLookEvery = 1000;

const seconds = value => value < 10 ? `${value.toFixed(1)}s` : span(value);

function step(drill, field) {
  if (drill.seconds[field] !== null) return `after ${seconds(drill.seconds[field])}`;
  if (field === 'adoption' && !drill.watched) return 'not measured: nothing tells who uses which key';
  return drill.ended_at ? 'not seen' : '…';
}

const steps = drill => el('dl', {class: 'facts'}, kSteps.map(([field, name]) => [el('dt', {}, name), el('dd', {}, step(drill, field))]));

const outcome = drill => drill.ended_at
  ? [el('b', {}, `Grade ${drill.grade}`), `: ${drill.meaning}.`, drill.note ? ` ${drill.note}.` : '']
  : [`${drill.key} is treated as revoked until `, when(drill.until), ' at the latest.'];

// The drill that is under way, or the last one.
export const drillCard = drill => el('div', {class: 'card pad', id: 'last-drill'},
  el('p', {}, `${drill.key}, by ${drill.actor}, `, when(drill.started_at), '. ', outcome(drill)), steps(drill));

export function drillDialog(pool) {
  let open = true;
  const box = dialog(`Drill ${pool.id}`, (body, frame, tell) => {
    const longest = el('select', {id: 'drill-for'}, [['1m', 'a minute'], ['5m', '5 minutes'], ['15m', '15 minutes'], ['1h', 'an hour']]
      .map(([value, text]) => el('option', {value, selected: value === '5m'}, text)));
    const progress = el('div', {id: 'drill-progress', role: 'status'});
    const go = el('button', {type: 'button', class: 'primary', id: 'drill-go'}, 'Start the drill');

    async function watch(drill) {
      while (open) {
        progress.replaceChildren(el('p', {}, outcome(drill)), steps(drill));
        if (drill.ended_at) break;
        await new Promise(resolve => setTimeout(resolve, kLookEvery));
        // The agent may be away for a moment: the drill goes on without us.
        drill = await agent.get(agent.poolPath(pool.id, '/drill')).catch(() => drill);
      }
      refresh();
    }

    go.addEventListener('click', async () => {
      go.disabled = longest.disabled = true;
      tell('');
      try {
        await watch(await agent.post(agent.poolPath(pool.id, '/drill'), {key: pool.active, for: longest.value}));
      } catch (problem) {
        tell(problem.message);
        go.disabled = longest.disabled = false;
      }
    });
    body.append(
      el('p', {}, `${pool.active} is treated as revoked, although it works: the pool switches to another key and its consumers `
        + 'must follow. What happens is measured and graded; then the key is active again. Nothing is asked of the provider '
        + 'but probes. If it would hurt, because no other key could take over, it is refused.'),
      el('label', {for: 'drill-for'}, 'At most for'), longest, progress,
      el('div', {class: 'row'}, el('button', {type: 'button', onclick: () => frame.close()}, 'Close'), go));
  });
  box.addEventListener('close', () => { open = false; });
}
