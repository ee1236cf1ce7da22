// Power and fault switches.
import {t, pick, onLanguage} from './i18n.js';

const $ = (id) => document.getElementById(id);
let catalog;
let go;
let state = {faults: [], power: true, armed: []};

let tab = 'acquirer';

function draw() {
  const devices = [...new Set(catalog.faults.map((f) => f.device))];
  $('faulttabs').replaceChildren(...devices.map((device) => {
    const b = document.createElement('button');
    b.className = 'chip';
    b.setAttribute('role', 'tab');
    b.setAttribute('aria-controls', 'faults');
    b.dataset.device = device;
    b.dataset.testid = `faults-tab-${device}`;
    b.textContent = t(device);
    b.addEventListener('click', () => {
      b.blur();
      tab = device;
      draw();
    });
    return b;
  }));
  const g = document.createElement('div');
  g.className = 'group';
  for (const f of catalog.faults.filter((x) => x.device === tab)) {
    const b = document.createElement('button');
    b.className = 'switch';
    b.setAttribute('role', 'switch');
    b.dataset.testid = `fault-${f.id}`;
    b.dataset.fault = f.id;
    b.title = f.id;
    b.append(document.createElement('i'), document.createTextNode(pick(f.name)));
    b.addEventListener('click', async () => {
      b.blur();
      const on = active(f.id);
      if (on.length === 0) await go('fault', f.id, 'on');
      for (const id of on) await go('fault', id, 'off');
    });
    g.append(b);
  }
  $('faults').setAttribute('role', 'tabpanel');
  $('faults').setAttribute('aria-label', t(tab));
  $('faults').replaceChildren(g);
  const select = $('cutwhen');
  const option = (value, text) => {
    const o = document.createElement('option');
    o.value = value;
    o.textContent = text;
    return o;
  };
  select.replaceChildren(option('', t('cutnever')), ...catalog.moments.map((m) => option(m.pattern, pick(m.name))));
  mark();
}

// active lists the faults that are on under an id; one may be narrowed to a message: "acquirer.reply-lost:0400".
const active = (id) => state.faults.filter((x) => x === id || x.startsWith(`${id}:`));

function mark() {
  for (const b of document.querySelectorAll('#faults .switch')) {
    b.setAttribute('aria-checked', String(active(b.dataset.fault).length > 0));
  }
  for (const b of $('faulttabs').children) {
    b.setAttribute('aria-selected', String(b.dataset.device === tab));
    const n = state.faults.filter((x) => x.startsWith(`${b.dataset.device}.`)).length;
    const badge = b.querySelector('.count') || document.createElement('span');
    badge.className = 'count';
    badge.textContent = n;
    n > 0 ? b.append(badge) : badge.remove();
  }
  $('faultsclear').hidden = state.faults.length === 0;
  const cut = $('powercut');
  cut.classList.toggle('dark', !state.live);
  cut.querySelector('span').textContent = state.live ? t('powercut') : t('poweron');
  cut.dataset.testid = state.live ? 'power-cut' : 'power-on';
  const select = $('cutwhen');
  const armed = state.armed[0] || '';
  if (armed && ![...select.options].some((o) => o.value === armed)) {
    const o = document.createElement('option');
    o.value = armed;
    o.textContent = armed;
    select.append(o);
  }
  select.value = armed;
  select.classList.toggle('armed', armed !== '');
}

export function start(c, action) {
  catalog = c;
  go = action;
  $('powercut').addEventListener('click', () => {
    $('powercut').blur();
    go('power', state.live ? 'cut' : 'on');
  });
  $('faultsclear').addEventListener('click', async () => {
    $('faultsclear').blur();
    for (const f of [...state.faults]) await go('fault', f, 'off');
  });
  $('cutwhen').addEventListener('change', async (e) => {
    e.target.blur();
    await go('cut', 'never');
    if (e.target.value) await go('cut', 'when', ...e.target.value.split(/ (?=(?:dir|nth)=)/));
  });
  onLanguage(draw);
}

export function show(s) {
  state = s;
  state.live = s.power && s.posd === 'running';
  mark();
}
