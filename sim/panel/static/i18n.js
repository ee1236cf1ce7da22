// The words of the page, in two languages. The terminal's own language is its own affair.

const words = {
  tagline: ['虚拟收单终端', 'the virtual terminal'],
  cards: ['卡包', 'Cards'],
  cardgroup: ['哪一组卡', 'which cards'],
  'group-everyday': ['常用', 'everyday'],
  'group-decline': ['拒绝', 'declines'],
  'group-pin': ['密码与签名', 'PIN and signature'],
  'group-offline': ['脱机', 'offline'],
  'group-selection': ['应用选择', 'selection'],
  'group-authentication': ['脱机认证', 'authentication'],
  'group-restrictions': ['使用限制', 'restrictions'],
  'group-issuer': ['发卡行应答', 'issuer'],
  'group-faults': ['故障卡', 'broken cards'],
  phones: ['手机', 'Phones'],
  slothint: ['点击左侧卡片插卡', 'click a card at the left to insert it'],
  pull: ['点击拔卡', 'click to remove'],
  tear: ['撕下', 'Tear off'],
  enlarge: ['查看', 'View'],
  save: ['保存', 'Save'],
  close: ['关闭', 'Close'],
  powercut: ['断电', 'POWER CUT'],
  poweron: ['通电', 'POWER ON'],
  cutwhen: ['到此时刻自动断电', 'Cut at the moment'],
  cutnever: ['未设', 'not armed'],
  cutarmed: ['已设: ', 'armed: '],
  faults: ['故障', 'Faults'],
  allok: ['全部恢复', 'all well again'],
  trace: ['实时记录', 'Trace'],
  pause: ['暂停', 'pause'],
  resume: ['继续', 'resume'],
  clearlist: ['清空', 'clear'],
  search: ['搜索', 'search'],
  dropped: ['条记录已略过', 'events were skipped'],
  books: ['账本', 'Books'],
  bank: ['收单行', 'acquirer'],
  walletbook: ['支付宝', 'Alipay'],
  journal: ['终端流水', 'journal'],
  on: ['运行中', 'on'],
  off: ['已断电', 'no power'],
  exited: ['程序已退出', 'posd ended'],
  lost: ['与 possim 失去联系', 'possim does not answer'],
  showcode: ['付款码', 'Show'],
  scanqr: ['扫屏幕', 'Scan'],
  showcodehint: ['向扫码窗出示付款码', 'show its payment code to the scanner'],
  scanqrhint: ['扫显示屏上的二维码', 'scan the QR code on the display'],
  confirm: ['确认', 'Confirm'],
  confirmhint: ['在手机上确认付款', 'confirm the payment on the phone'],
  refuse: ['拒绝', 'Refuse'],
  refusehint: ['在手机上拒绝付款', 'refuse the payment on the phone'],
  contactless: ['非接触感应区', 'contactless landing zone'],
  window: ['扫码窗', 'scanner window'],
  paper: ['打印纸', 'paper'],
  paperhint: ['滚轮上下查看，点击放大', 'scroll to read, click to enlarge'],
  receipt: ['小票', 'receipt'],
  language: ['页面语言', 'language of the page'],
  nothing: ['还没有记录', 'nothing yet'],
  reader: ['读卡器', 'Reader'],
  pinpad: ['密码盘', 'PIN pad'],
  printer: ['打印机', 'Printer'],
  stripe: ['磁条', 'Stripe'],
  acquirer: ['收单行', 'Acquirer'],
  alipay: ['支付宝', 'Alipay'],
  scanner: ['扫码器', 'Scanner'],
  pin: ['密码', 'PIN'],
  world: ['环境', 'World'],
  posd: ['终端', 'posd'],
  display: ['显示屏', 'Display'],
  keypad: ['键盘', 'Keypad'],
};

// What possim says when it refuses something that can be done on the page. It speaks English; scripts depend on the wording.
const refusals = [
  [/^the terminal has no power/, '终端没有电，按键无效'],
  [/^nobody reads the keypad/, '终端程序没有读取键盘'],
  [/^contactless is not supported/, '暂不支持挥卡，请插卡'],
  [/is in the reader: remove it first$/, '读卡器里已有卡，请先拔卡'],
  [/^there is no card in the reader/, '读卡器里没有卡'],
  [/^there is no QR code on the display/, '显示屏上没有二维码'],
  [/^the phone does not know what to do/, '手机无法识别屏幕上的码'],
  [/^no payment waits for this phone/, '这部手机没有待确认的付款'],
  [/^the PIN pad has no key/, '密码盘没有这个键'],
];

export function refusal(text) {
  const r = language() === 'zh' && refusals.find(([re]) => re.test(text));
  return r ? r[1] : text;
}

let lang = localStorage.getItem('possim.lang') || '';
const followers = [];

export const language = () => lang || 'zh';

export function t(key) {
  const w = words[key];
  return w ? w[language() === 'en' ? 1 : 0] : key;
}

// pick takes {zh, en} or a plain string.
export function pick(x) {
  if (x == null) return '';
  if (typeof x === 'string') return x;
  return x[language()] || x.zh || x.en || '';
}

export function setLanguage(l, remember = true) {
  lang = l === 'en' ? 'en' : 'zh';
  if (remember) localStorage.setItem('possim.lang', lang);
  document.documentElement.lang = lang;
  for (const e of document.querySelectorAll('[data-i18n]')) e.textContent = t(e.dataset.i18n);
  for (const f of followers) f();
}

export const chosen = () => lang !== '';
export const onLanguage = (f) => followers.push(f);
