// The paper that grows out of the printer, and the receipts that were torn off.
import {t, onLanguage} from './i18n.js';

const $ = (id) => document.getElementById(id);
const scale = 0.75; // pixels of page for a dot of paper
let go;
let now = {version: 0, height: 0, torn: 0};
let shownTorn = -1;
let viewing = 'paper';
let pull = 0; // how far the paper is pushed back to read what came out first, in pixels of the page

const source = (what) => `${what === 'paper' ? 'paper.png' : `receipts/${what}.png`}?v=${what === 'paper' ? now.version : 0}`;

function open(what) {
  viewing = what;
  $('viewimg').src = source(what);
  $('viewimg').alt = t('receipt');
  $('viewsave').href = source(what);
  $('viewtear').hidden = what !== 'paper';
  $('viewer').showModal();
  $('viewer').querySelector('.viewscroll').scrollTop = 0;
}

function tray() {
  if (now.torn === shownTorn) return;
  shownTorn = now.torn;
  const list = [];
  for (let n = now.torn; n > Math.max(0, now.torn - 4); n--) {
    const b = document.createElement('button');
    b.className = 'slip';
    b.dataset.testid = `receipt-${n}`;
    b.setAttribute('role', 'listitem');
    b.setAttribute('aria-label', `${t('receipt')} ${n}`);
    b.title = `${t('receipt')} ${n}`;
    const img = document.createElement('img');
    img.src = `receipts/${n}.png`;
    img.alt = '';
    b.append(img);
    b.addEventListener('click', () => { b.blur(); open(n); });
    list.push(b);
  }
  $('tray').replaceChildren(...list);
}

// scroll pushes the paper back into view by some pixels; 0 and less is its natural place.
function scroll(px) {
  const hidden = $('paper').querySelector('.sheet').offsetHeight - $('paper').clientHeight;
  pull = Math.max(0, Math.min(px, hidden));
  $('paper').style.setProperty('--pull', `${pull}px`);
}

async function tear() {
  const p = $('paper');
  if (p.hidden) return;
  p.classList.add('torn');
  await Promise.all([go('tear'), new Promise((r) => setTimeout(r, 320))]);
  p.classList.remove('torn');
}

export function start(action) {
  go = action;
  $('paper').addEventListener('click', () => { $('paper').blur(); open('paper'); });
  $('paper').addEventListener('wheel', (e) => {
    e.preventDefault();
    scroll(pull - e.deltaY);
  }, {passive: false});
  $('paper').addEventListener('keydown', (e) => {
    const step = {ArrowUp: 40, ArrowDown: -40, PageUp: 110, PageDown: -110}[e.key];
    if (!step) return;
    e.preventDefault();
    e.stopPropagation(); // it is not for the keypad of the terminal
    scroll(pull + step);
  });
  $('paperopen').addEventListener('click', () => { $('paperopen').blur(); open('paper'); });
  $('papertear').addEventListener('click', () => { $('papertear').blur(); tear(); });
  $('viewtear').addEventListener('click', () => { $('viewer').close(); tear(); });
  $('viewclose').addEventListener('click', () => $('viewer').close());
  $('viewer').addEventListener('click', (e) => { if (e.target === $('viewer')) $('viewer').close(); });
  onLanguage(() => {
    $('paper').setAttribute('aria-label', t('paper'));
    $('paper').title = t('paperhint');
    $('tray').setAttribute('aria-label', t('receipt'));
  });
}

// show takes {version, height, torn}: what is on the paper now, in dots, and how many receipts were torn off.
export function show(p) {
  now = p;
  const box = $('paper');
  const some = p.height > 0;
  box.hidden = !some;
  $('paperbar').hidden = !some;
  tray();
  if (!some) return;
  const next = new Image();
  next.onload = () => {
    if (now.version !== p.version) return;
    $('paperimg').src = next.src;
    scroll(0); // what comes out now is what one looks at
    box.style.setProperty('--grown', `${Math.round(p.height * scale)}px`);
    if ($('viewer').open && viewing === 'paper') $('viewimg').src = next.src;
  };
  next.src = source('paper');
}
