// The live trace at the right.
import {t, onLanguage} from './i18n.js';

const $ = (id) => document.getElementById(id);
const keep = 600; // lines in the page
const off = new Set();
let paused = false;
let held = [];

function clock(time) {
  const d = new Date(time);
  const two = (n) => String(n).padStart(2, '0');
  return `${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

function line(e) {
  const li = document.createElement('li');
  li.dataset.source = e.source;
  li.dataset.testid = 'trace-row';
  const more = (e.detail || []).length > 0;
  const head = document.createElement(more ? 'button' : 'div');
  head.className = 'row';
  const part = (cls, text) => {
    const s = document.createElement('span');
    s.className = cls;
    s.textContent = text;
    head.append(s);
  };
  part('at', clock(e.time));
  head.lastChild.title = new Date(e.time).toLocaleString();
  part('src', t(e.source).toLowerCase());
  head.lastChild.title = e.source;
  part('dir', e.dir === '>' ? '→' : e.dir === '<' ? '←' : '·');
  part('sum', e.summary);
  head.title = e.summary;
  li.append(head);
  li.text = `${e.source} ${e.summary} ${(e.detail || []).map((f) => `${f.name} ${f.value}`).join(' ')}`.toLowerCase();
  if (more) {
    head.setAttribute('aria-expanded', 'false');
    head.addEventListener('click', () => {
      const open = head.getAttribute('aria-expanded') === 'true';
      head.setAttribute('aria-expanded', String(!open));
      if (open) {
        li.querySelector('dl').remove();
        return;
      }
      const dl = document.createElement('dl');
      for (const f of e.detail) {
        const dt = document.createElement('dt');
        dt.textContent = f.name;
        const dd = document.createElement('dd');
        dd.textContent = f.value;
        dl.append(dt, dd);
      }
      li.append(dl);
    });
  }
  return li;
}

function wanted(li) {
  const text = $('tracetext').value.trim().toLowerCase();
  return !off.has(li.dataset.source) && (!text || (li.text || '').includes(text));
}

function filter() {
  for (const li of $('tracelist').children) li.hidden = !wanted(li);
  bottom();
}

function bottom() {
  const list = $('tracelist');
  list.scrollTop = list.scrollHeight;
}

export function start(catalog) {
  const bar = $('tracefilter');
  for (const s of catalog.sources) {
    const b = document.createElement('button');
    b.className = 'chip';
    b.dataset.source = s;
    b.dataset.testid = `trace-filter-${s}`;
    b.title = s; // the name for possim do wait and trace
    b.setAttribute('aria-pressed', 'true');
    b.addEventListener('click', () => {
      b.blur();
      off.has(s) ? off.delete(s) : off.add(s);
      b.setAttribute('aria-pressed', String(!off.has(s)));
      filter();
    });
    bar.append(b);
  }
  $('tracetext').addEventListener('input', filter);
  $('traceclear').addEventListener('click', () => $('tracelist').replaceChildren());
  $('tracepause').addEventListener('click', () => {
    paused = !paused;
    $('tracepause').setAttribute('aria-pressed', String(paused));
    label();
    if (!paused) {
      const h = held;
      held = [];
      add({events: h, dropped: 0});
    }
  });
  onLanguage(label);
}

function label() {
  for (const b of $('tracefilter').children) b.textContent = t(b.dataset.source).toLowerCase();
  for (const s of document.querySelectorAll('#tracelist .src')) s.textContent = t(s.title).toLowerCase();
  $('tracepause').textContent = t(paused ? 'resume' : 'pause');
  $('tracelist').setAttribute('aria-label', t('trace'));
}

export function add({events, dropped}) {
  if (paused) {
    held.push(...events);
    held = held.slice(-keep);
    return;
  }
  const list = $('tracelist');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const fresh = [];
  if (dropped > 0) {
    const li = document.createElement('li');
    li.className = 'gap';
    li.textContent = `… ${dropped} ${t('dropped')}`;
    fresh.push(li);
  }
  for (const e of events) {
    const li = line(e);
    li.hidden = !wanted(li);
    fresh.push(li);
  }
  list.append(...fresh);
  while (list.children.length > keep) list.firstChild.remove();
  if (atEnd) bottom();
}
