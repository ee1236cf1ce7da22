// Power and fault switches.
import {t, pick, onLanguage} from './i18n.js';

const $ = (id) => document.getElementById(id);
let catalog;
let go;
let state = {faults: [], power: true, armed: []};

function draw() {
  const groups = new Map();
  for (const f of catalog.faults) {
    if (!groups.has(f.device)) groups.set(f.device, []);
    groups.get(f.device).push(f);
  }
  $('faults').replaceChildren(...[...groups].map(([device, list]) => {
    const g = document.createElement('div');
    g.className = 'group';
    g.setAttribute('role', 'group');
    g.setAttribute('aria-label', t(device));
    const h = document.createElement('h3');
    h.textContent = t(device);
    g.append(h);
    for (const f of list) {
      const b = document.createElement('button');
      b.className = 'switch';
      b.setAttribute('role', 'switch');
      b.dataset.testid = `fault-${f.id}`;
      b.dataset.fault = f.id;
      b.title = f.id;
      b.append(document.createElement('i'), document.createTextNode(pick(f.name)));
      b.addEventListener('click', () => {
        b.blur();
        go('fault', f.id, state.faults.includes(f.id) ? 'off' : 'on');
      });
      g.append(b);
    }
    return g;
  }));
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

function mark() {
  for (const b of document.querySelectorAll('#faults .switch')) {
    b.setAttribute('aria-checked', String(state.faults.includes(b.dataset.fault)));
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
