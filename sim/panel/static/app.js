import {act, get, listen, Refused} from './api.js';
import {t, setLanguage, language, chosen, onLanguage, refusal} from './i18n.js';
import * as terminal from './terminal.js';
import * as wallet from './wallet.js';
import * as faults from './faults.js';
import * as trace from './trace.js';
import * as paper from './paper.js';

const $ = (id) => document.getElementById(id);

let toastTimer;
// tell shows a message for a while.
function tell(message) {
  const box = $('toast');
  box.textContent = message;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 6000);
}

// go does an action and shows what is wrong when it is refused.
async function go(...args) {
  try {
    return await act(...args);
  } catch (e) {
    tell(e instanceof Refused ? refusal(e.message) : t('lost'));
    return undefined;
  }
}

function labels() {
  $('langs').setAttribute('aria-label', t('language'));
  $('tracetext').placeholder = t('search');
  $('tracetext').setAttribute('aria-label', t('search'));
  for (const b of $('langs').children) b.setAttribute('aria-pressed', String(b.dataset.lang === language()));
}

const catalog = await get('catalog');
onLanguage(labels);
terminal.start(catalog, go);
wallet.start(catalog, go);
faults.start(catalog, go);
trace.start(catalog);
paper.start(go);
setLanguage(chosen() ? language() : catalog.lang, chosen());
for (const b of $('langs').children) b.addEventListener('click', () => setLanguage(b.dataset.lang));

let state;
function show(s) {
  state = s;
  terminal.show(s);
  wallet.show(s);
  faults.show(s);
  const lamp = $('lamp');
  const how = s.power ? (s.posd === 'running' ? 'on' : 'exited') : 'off';
  lamp.dataset.state = how;
  lamp.textContent = t(how);
  $('screen').textContent = how === 'exited' ? s.posd : s.power ? s.screen : '';
}
onLanguage(() => { if (state) show(state); });

let connected = true;
listen({
  state: show,
  lcd: terminal.draw,
  paper: paper.show,
  trace: trace.add,
}, (up) => {
  if (!up && connected) tell(t('lost'));
  connected = up;
  document.body.classList.toggle('lost', !up);
});
