// A list of any length: only the rows in sight are in the document. Rows have one height, which the style
// sheet gives as --row. Arrow keys, Page Up and Down, Home and End move the focus from row to row.

import {el} from './dom.js';

export function virtualList(label, heads, render) {
  const space = el('div', {class: 'space', role: 'rowgroup'});
  const head = el('div', {class: 'cells heads', role: 'row'}, heads.map(([text, kind]) => el('span', {role: 'columnheader', class: `c-${kind}`}, text)));
  const scroller = el('div', {class: 'list', role: 'presentation'}, space);
  const root = el('div', {class: 'card', role: 'table', 'aria-label': label}, el('div', {role: 'rowgroup'}, head), scroller);
  let items = [], shown = new Map();

  const height = () => parseFloat(getComputedStyle(root).getPropertyValue('--row')) || 44;
  const inSight = () => Math.max(1, Math.floor(scroller.clientHeight / height()));

  function draw(anew = false) {
    const row = height(), first = Math.max(0, Math.floor(scroller.scrollTop / row) - 6);
    const last = Math.min(items.length, first + Math.ceil(scroller.clientHeight / row) + 12);
    const focused = space.contains(document.activeElement) ? document.activeElement.closest('.item')?.dataset.id : null;
    const kept = new Map();
    for (let i = first; i < last; ++i) {
      const item = items[i];
      let node = anew ? null : shown.get(item.id);
      if (!node) {
        node = el('div', {class: 'item cells', role: 'row'}, render(item));
        node.dataset.id = item.id;
      }
      node.setAttribute('aria-rowindex', i + 2);
      node.style.top = `${i * row}px`;
      kept.set(item.id, node);
    }
    shown = kept;
    space.style.height = `${items.length * row}px`;
    space.replaceChildren(...kept.values());
    if (focused) kept.get(focused)?.querySelector('a')?.focus({preventScroll: true});
    return items.slice(first, last);
  }

  function goTo(index) {
    index = Math.max(0, Math.min(items.length - 1, index));
    const row = height(), top = index * row;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + row > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + row - scroller.clientHeight;
    draw();
    shown.get(items[index]?.id)?.querySelector('a')?.focus({preventScroll: true});
  }

  scroller.addEventListener('keydown', event => {
    const at = items.findIndex(item => item.id === event.target.closest?.('.item')?.dataset.id);
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + inSight(), PageUp: at - inSight(), Home: 0, End: items.length - 1}[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    goTo(to);
  });
  let frame = 0, settled = () => {};
  scroller.addEventListener('scroll', () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => settled(draw()));
  }, {passive: true});
  new ResizeObserver(() => settled(draw())).observe(scroller);

  return {
    root,
    // anew: the items' contents have changed too.
    set(list, anew = true) {
      items = list;
      root.setAttribute('aria-rowcount', list.length + 1);
      return draw(anew);
    },
    toTop() { scroller.scrollTop = 0; },
    // Called with the items in sight after a scroll.
    onsettle(callback) { settled = callback; },
    redraw: () => draw(true),
  };
}
