// The terminal: display, keypad, card slot.
import {t, pick, onLanguage} from './i18n.js';
import {face} from './wallet.js';

const $ = (id) => document.getElementById(id);

// Rows of the keypad: name, what is on the key, kind.
const layout = [
  ['menu', '☰', 'fn'], ['1', '1', ''], ['2', '2', 'ABC'], ['3', '3', 'DEF'], ['cancel', '✕', 'cancel'],
  ['up', '▲', 'fn'], ['4', '4', 'GHI'], ['5', '5', 'JKL'], ['6', '6', 'MNO'], ['clear', '⌫', 'clear'],
  ['down', '▼', 'fn'], ['7', '7', 'PQRS'], ['8', '8', 'TUV'], ['9', '9', 'WXYZ'], ['enter', '↵', 'enter'],
  ['star', '✱', 'sym'], ['0', '0', ''], ['hash', '#', 'sym'],
];
const keyNames = {
  menu: {zh: '菜单', en: 'Menu'}, up: {zh: '上', en: 'Up'}, down: {zh: '下', en: 'Down'},
  cancel: {zh: '取消', en: 'Cancel'}, clear: {zh: '清除', en: 'Clear'}, enter: {zh: '确认', en: 'Enter'},
  star: {zh: '星号', en: 'Star'}, hash: {zh: '井号', en: 'Hash'},
};
const computerKeys = {
  Enter: 'enter', Backspace: 'clear', Delete: 'clear', Escape: 'cancel', ArrowUp: 'up', ArrowDown: 'down',
  F1: 'f1', F2: 'f2', F3: 'f3', F4: 'f4', '*': 'star', '#': 'hash', m: 'menu', M: 'menu', ContextMenu: 'menu',
};

let go;
let inserted = '';
let catalog;
// Keys go one after the other: the order in which they were pressed is the order in which they arrive.
let queue = Promise.resolve();

function press(name) {
  const b = document.querySelector(`[data-key="${name}"]`);
  if (b) {
    b.classList.add('down');
    setTimeout(() => b.classList.remove('down'), 110);
  }
  queue = queue.then(() => go('press', name));
}

function makeKey(name, legend, kind) {
  const b = document.createElement('button');
  b.className = `key ${['fn', 'sym', 'cancel', 'clear', 'enter'].includes(kind) ? kind : 'digit'}`;
  b.dataset.key = name;
  b.dataset.testid = `key-${name}`;
  b.tabIndex = 0;
  const big = document.createElement('b');
  big.textContent = legend;
  b.append(big);
  if (keyNames[name] && (kind === 'cancel' || kind === 'clear' || kind === 'enter' || name === 'menu')) {
    b.append(document.createElement('small'));
  }
  b.addEventListener('pointerdown', (e) => {
    if (e.button === 0) e.preventDefault(); // the focus stays where it is: Enter belongs to the terminal
  });
  b.addEventListener('click', () => press(name));
  return b;
}

function label() {
  for (const b of document.querySelectorAll('[data-key]')) {
    const name = keyNames[b.dataset.key] ? pick(keyNames[b.dataset.key]) : b.dataset.key.toUpperCase();
    b.setAttribute('aria-label', name);
    const small = b.querySelector('small');
    if (small) small.textContent = name;
  }
  $('keypad').setAttribute('aria-label', t('keypad'));
  $('contactless').setAttribute('aria-label', t('contactless'));
  $('scanner').setAttribute('aria-label', t('window'));
  const in_ = $('incard');
  const card = catalog.cards.find((c) => c.id === inserted);
  if (card) {
    in_.replaceChildren(face(card));
    in_.title = t('pull');
  }
}

export function start(c, action) {
  go = action;
  catalog = c;
  for (const f of ['f1', 'f2', 'f3', 'f4']) $('fkeys').append(makeKey(f, f.toUpperCase(), 'fn'));
  for (const [name, legend, kind] of layout) $('keypad').append(makeKey(name, legend, kind));
  const badge = document.createElement('span');
  badge.className = 'badge';
  badge.textContent = 'posd';
  badge.setAttribute('aria-hidden', 'true');
  $('keypad').append(badge);
  const lcd = $('lcd');
  lcd.width = c.lcd.width;
  lcd.height = c.lcd.height;

  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || document.querySelector('dialog[open]')) return;
    if (e.target.closest('input, select, textarea')) return;
    // Who walks the page with Tab presses its buttons with Enter and Space.
    if ((e.key === 'Enter' || e.key === ' ') && e.target.matches('button:focus-visible, a:focus-visible, [tabindex]:focus-visible')) return;
    const name = /^[0-9]$/.test(e.key) ? e.key : computerKeys[e.key];
    if (!name) return;
    e.preventDefault();
    if (!e.repeat || /^[0-9]$/.test(name) || name === 'clear') press(name);
  });

  $('incard').addEventListener('click', () => { $('incard').blur(); go('remove'); });
  drop($('terminal'), (kind, id) => go(kind === 'card' ? 'insert' : 'scan', id));
  drop($('contactless'), (kind, id) => go(kind === 'card' ? 'tap' : 'scan', id));
  $('contactless').addEventListener('click', () => {
    if (catalog.cards.length) go('tap', catalog.cards[0].id);
  });
  onLanguage(label);
}

// drop makes an element take cards and phones.
function drop(element, f) {
  element.addEventListener('dragover', (e) => { e.preventDefault(); element.classList.add('over'); });
  element.addEventListener('dragleave', () => element.classList.remove('over'));
  element.addEventListener('drop', (e) => {
    e.preventDefault();
    e.stopPropagation();
    element.classList.remove('over');
    const [kind, id] = e.dataTransfer.getData('text/plain').split(':');
    if (id) f(kind, id);
  });
}

let drawing = Promise.resolve();
// draw shows a new picture of the display, {png: base64}.
export function draw({png}) {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  drawing = drawing.then(async () => {
    const bitmap = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
    const lcd = $('lcd');
    lcd.getContext('2d').drawImage(bitmap, 0, 0);
    bitmap.close();
  }).catch(() => {});
}

export function show(s) {
  const box = $('terminal');
  box.dataset.power = s.power ? 'on' : 'off';
  box.dataset.scanning = String(!!s.scanning);
  box.dataset.pin = String(!!s.entering_pin);
  $('lcd').setAttribute('aria-label', `${t('display')}: ${s.power ? s.screen : t('off')}`);
  $('lcd').dataset.screen = s.power ? s.screen : '';
  const in_ = $('incard');
  if (s.card !== inserted) {
    inserted = s.card;
    const card = catalog.cards.find((c) => c.id === inserted);
    if (card) {
      in_.dataset.card = inserted;
      in_.hidden = false;
      in_.classList.remove('enter');
      void in_.offsetWidth; // starts the slide again
      in_.classList.add('enter');
    } else {
      in_.hidden = true;
      in_.dataset.card = '';
    }
    label();
  }
  $('slothint').hidden = !!inserted;
}
