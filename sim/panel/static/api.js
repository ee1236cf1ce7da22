// The conversation with possim. The page lives under a path that holds the token, so every address is relative.

export class Refused extends Error {
  constructor(answer) {
    super(answer.error || 'error');
    this.choose = answer.choose || [];
  }
}

// act does one action and returns its result.
export async function act(action, ...args) {
  const r = await fetch('do', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({action, args: args.map(String)}),
  });
  const answer = await r.json();
  if (!r.ok) throw new Refused(answer);
  return answer.result;
}

export async function get(what) {
  const r = await fetch(what);
  if (!r.ok) throw new Error(`${what}: ${r.status}`);
  return r.json();
}

// listen calls handlers[name](data) for each event; on(false) when the line is lost, on(true) when it is there (again).
export function listen(handlers, on) {
  const source = new EventSource('events');
  for (const [name, f] of Object.entries(handlers)) {
    source.addEventListener(name, (e) => f(JSON.parse(e.data)));
  }
  source.onopen = () => on(true);
  source.onerror = () => on(false);
}
