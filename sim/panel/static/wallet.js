// The wallet at the left: cards and phones.
import {t, pick, onLanguage} from './i18n.js';

const $ = (id) => document.getElementById(id);

function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text != null) e.textContent = text;
  return e;
}

// face draws a card.
export function face(c) {
  const f = el('span', 'cardface');
  f.style.setProperty('--c1', c.color[0]);
  f.style.setProperty('--c2', c.color[1]);
  const head = el('span', 'cardhead');
  head.append(el('b', '', pick(c.name)));
  f.append(head, el('span', 'carddesc', pick(c.about)), el('span', 'cardpin', `${t('pin')} ${c.pin}`));
  const foot = el('span', 'cardfoot');
  foot.innerHTML = '<svg class="gold" aria-hidden="true"><use href="#chip"/></svg>';
  foot.append(el('span', 'pan', `•• ${c.last4}`), el('em', '', c.scheme));
  f.append(foot);
  return f;
}

// fit makes the type of an element smaller until its words are not cut off.
function fit(e) {
  e.style.fontSize = '';
  const words = document.createRange();
  words.selectNodeContents(e);
  // Not scrollWidth, which is whole pixels: half a pixel too much is enough for an ellipsis.
  const cut = () => words.getBoundingClientRect().width > e.getBoundingClientRect().width;
  for (let px = parseFloat(getComputedStyle(e).fontSize); cut() && px > 9.5;) {
    px -= 0.5;
    e.style.fontSize = `${px}px`;
  }
}

let catalog;
let go;
let state = {phones: {}, card: ''};

// A group is one purse full of cards: more than fit would not be seen.
let group = 'everyday';

function inGroup(c) {
  return group === 'everyday' ? c.everyday : c.group === group;
}

function drawGroups() {
  const select = $('cardgroup');
  const groups = [...new Set(['everyday', ...catalog.cards.map((c) => c.group)])];
  select.replaceChildren(...groups.map((g) => {
    const o = el('option', '', t(`group-${g}`));
    o.value = g;
    return o;
  }));
  select.value = group;
  select.setAttribute('aria-label', t('cardgroup'));
  select.onchange = () => {
    group = select.value;
    select.blur();
    drawCards();
    mark();
  };
}

function drawCards() {
  const list = $('cards');
  list.replaceChildren(...catalog.cards.filter(inGroup).map((c) => {
    const li = el('li');
    const b = el('button', 'card');
    b.dataset.testid = `card-${c.id}`;
    b.dataset.card = c.id;
    b.draggable = true;
    b.title = `${pick(c.name)} · ${t('pin')} ${c.pin} · ${pick(c.about)}`;
    b.append(face(c));
    b.addEventListener('click', () => {
      b.blur();
      state.card === c.id ? go('remove') : go('insert', c.id);
    });
    b.addEventListener('dragstart', (e) => e.dataTransfer.setData('text/plain', `card:${c.id}`));
    li.append(b);
    return li;
  }));
  list.querySelectorAll('.cardhead b, .carddesc').forEach(fit);
}

function drawPhones() {
  const list = $('phones');
  list.replaceChildren(...catalog.phones.map((p) => {
    const li = el('li', 'phone');
    li.dataset.testid = `phone-${p.id}`;
    li.dataset.phone = p.id;
    li.draggable = true;
    li.title = `${pick(p.name)} · ${pick(p.about)} · ${pick(p.money)}`;
    li.addEventListener('dragstart', (e) => e.dataTransfer.setData('text/plain', `phone:${p.id}`));
    const device = el('span', 'device');
    device.style.setProperty('--c1', p.color[0]);
    device.style.setProperty('--c2', p.color[1]);
    device.append(el('i', 'notch'), el('i', 'qr'));
    const words = el('span', 'phonewords');
    words.append(el('b', '', pick(p.name)), el('span', 'about', pick(p.about)));
    const buttons = el('span', 'phonebuttons');
    const button = (name, key, ...args) => {
      const b = el('button', `mini ${name}`, t(key));
      b.dataset.testid = `phone-${p.id}-${name}`;
      b.title = t(`${key}hint`);
      b.setAttribute('aria-label', `${pick(p.name)}: ${b.title}`);
      b.addEventListener('click', () => { b.blur(); go(...args); });
      buttons.append(b);
    };
    button('code', 'showcode', 'scan', p.id);
    button('qr', 'scanqr', 'phone', p.id, 'scan');
    button('confirm', 'confirm', 'phone', p.id, 'confirm');
    button('refuse', 'refuse', 'phone', p.id, 'refuse');
    li.append(device, words, buttons);
    return li;
  }));
}

function mark() {
  for (const b of document.querySelectorAll('#cards .card')) {
    const inside = b.dataset.card === state.card;
    b.classList.toggle('inside', inside);
    b.setAttribute('aria-pressed', String(inside));
  }
  for (const li of document.querySelectorAll('#phones .phone')) {
    const waits = (state.phones || {})[li.dataset.phone];
    li.classList.toggle('waits', !!waits);
    li.querySelector('.about').textContent = waits
      ? waits
      : pick(catalog.phones.find((p) => p.id === li.dataset.phone).about);
    fit(li.querySelector('.about'));
  }
}

export function start(c, action) {
  catalog = c;
  go = action;
  onLanguage(() => { drawGroups(); drawCards(); drawPhones(); mark(); });
}

export function show(s) {
  state = s;
  mark();
}
