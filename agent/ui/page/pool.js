// One pool: its keys, its rotations, and another key by hand, tried dry first.

import {el, seldom, show, stateOf, table, when, wideCard} from './dom.js';
import * as agent from './agent.js';
import {drillCard, drillDialog} from './drill.js';
import {action, dialog, may, model, refresh} from './main.js';

function scrolling(name, ...children) {
  const card = wideCard(name);
  card.append(...children);
  return card;
}
const link = id => el('a', {href: `#/keys/${encodeURIComponent(id)}`}, id);

function rotateDialog(pool) {
  dialog(`Rotate ${pool.id}`, (body, box, tell) => {
    const to = el('select', {id: 'rotate-to'}, el('option', {value: ''}, `as ${pool.strategy} chooses`),
      pool.keys.filter(id => id !== pool.active).map(id => el('option', {value: id}, id)));
    const reason = el('input', {id: 'rotate-reason', maxlength: 200, placeholder: 'for the journal'});
    const go = el('button', {type: 'button', class: 'primary', disabled: true, id: 'rotate-go'}, 'Rotate');
    const ask = dry => agent.post(agent.poolPath(pool.id, '/rotate'),
      {dry_run: dry, ...(to.value ? {to: to.value} : {}), ...(reason.value ? {reason: reason.value} : {})});
    // What was tried is what is done: another choice must be tried again.
    const changed = () => { go.disabled = true; tell(''); };
    to.addEventListener('change', changed);
    const run = async (dry, button) => {
      button.disabled = true;
      tell(dry ? 'trying …' : 'rotating …');
      try {
        const rotation = await ask(dry);
        go.disabled = !dry;
        tell(dry ? `${rotation.from ?? 'nothing'} → ${rotation.to}: possible. Nothing has been changed yet.` : `${rotation.to} is active (${rotation.state}).`);
        if (!dry) refresh();
      } catch (problem) {
        tell(problem.message);
      }
      if (dry) button.disabled = false;
    };
    const dry = el('button', {type: 'button', id: 'rotate-dry', onclick: () => run(true, dry)}, 'Try (dry run)');
    go.addEventListener('click', () => run(false, go));
    body.append(el('label', {for: 'rotate-to'}, 'To'), to, el('label', {for: 'rotate-reason'}, 'Reason'), reason,
      el('div', {class: 'row'}, el('button', {type: 'button', onclick: () => box.close()}, 'Close'), dry, go));
  });
}

export function poolView(id) {
  const root = el('div');
  let rotations = [], drill = null;

  const fetchMore = seldom(async () => {
    rotations = await agent.get(`/api/v1/rotations?pool=${encodeURIComponent(id)}&limit=20`).catch(() => []);
    if (rotations.some(rotation => rotation.trigger === 'drill')) drill = await agent.get(agent.poolPath(id, '/drill')).catch(() => null);
    paint();
  });

  function paint() {
    const pool = model.status.pools.find(each => each.id === id);
    if (!pool) return show(root, el('p', {}, el('a', {href: '#/'}, '← The herd')), el('h2', {}, id), el('p', {class: 'trouble'}, 'There is no such pool, or not for you.'));
    const keys = new Map(model.status.keys.map(key => [key.id, key]));
    const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, value)];
    const acts = may('operate') ? el('div', {class: 'row'},
      el('button', {type: 'button', id: 'rotate', onclick: () => rotateDialog(pool)}, 'Rotate …'),
      el('button', {type: 'button', id: 'drill', disabled: !pool.active, onclick: () => drillDialog(pool)}, 'Drill …'),
      pool.freeze?.by && pool.freeze.by !== 'window'
        ? action('Unfreeze', async () => { await agent.post(agent.poolPath(id, '/unfreeze')); return `${id} goes on by itself`; }, {id: 'unfreeze'})
        : action('Freeze', async () => { await agent.post(agent.poolPath(id, '/freeze')); return `${id} is moved by people only`; }, {id: 'freeze'}))
      : el('p', {class: 'dim'}, `Role ${model.me.role}: to look, not to touch.`);
    show(root, el('p', {}, el('a', {href: '#/', id: 'back'}, '← The herd')), el('h2', {}, `Pool ${id}`),
      pool.problem ? el('p', {class: 'trouble'}, pool.problem) : null, el('div', {id: 'notice', role: 'alert'}), acts,
      el('div', {class: 'columns'},
        el('section', {}, el('h3', {}, 'Facts'), el('dl', {class: 'facts card pad'},
          fact('Active', pool.active ? link(pool.active) : '–', `, generation ${pool.generation}, decided `, when(pool.decided_at)),
          fact('Strategy', pool.strategy), fact('Usable', `${pool.available} of ${pool.keys.length}`),
          fact('Survives the loss of a key', el('span', {class: pool.survives_key_loss ? 'yes' : 'no'}, pool.survives_key_loss ? 'yes' : 'no')),
          fact('Used up', when(pool.exhausted_at)), fact('Next rotation', when(pool.next_rotation_at)),
          fact('Frozen', pool.freeze ? [`by ${pool.freeze.by}`, pool.freeze.until ? [' until ', when(pool.freeze.until)] : '', pool.freeze.reason ? `: ${pool.freeze.reason}` : ''] : 'no'),
          fact('Published to', pool.publish.join(', ') || 'the API only')),
        el('h3', {}, 'Keys'), scrolling('Keys of the pool', table('Keys of the pool', ['key', 'state', 'why'],
          pool.keys.map(key => [link(key), keys.has(key) ? stateOf(keys.get(key)) : '–', {wide: keys.get(key)?.why ?? ''}]), 'No keys.'))),
        el('section', {}, pool.drill || drill ? [el('h3', {}, 'Drill'), drillCard(pool.drill ?? drill)] : null, el('h3', {}, 'Rotations'), el('div', {class: 'card pad'}, rotations.length ? el('ol', {class: 'timeline'}, rotations.map(r =>
          el('li', {}, when(r.started_at), ` ${r.from ?? 'nothing'} → ${r.to ?? '–'}: `, el('b', {}, r.state.replace('_', ' ')), ` (${r.trigger}, ${r.actor})`, el('p', {class: 'dim'}, r.reason))))
          : el('p', {class: 'empty'}, 'None so far.')))));
  }

  return {root, draw() { paint(); fetchMore(); }};
}
