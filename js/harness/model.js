/** Stands in for anywidget's model and for the kernel behind it: numbers its messages as the protocol says. */
export class FakeModel {
  sent = [];
  #listeners = new Map();
  #snapshot = {};
  #seq = 0;
  #script;

  constructor(script, snapshot = {}) {
    this.#script = script;
    this.#snapshot = snapshot;
  }

  get(name) {
    return name === "snapshot" ? this.#snapshot : undefined;
  }

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((held) => held !== listener));
  }

  send(message) {
    this.sent.push(message);
    setTimeout(() => this.#script(this, message), 5);
  }

  /** Lose a message on the way. */
  skip() {
    this.#seq += 1;
  }

  /** Send `columns` (`{name: [numbers]}`) and log lines as the kernel would. */
  say(kind, scene, columns = {}, log = { start: 0, lines: [] }) {
    this.#seq += 1;
    const message = { kind, seq: this.#seq, scene, columns: Object.keys(columns), log };
    const buffers = Object.values(columns).map(unaligned);
    for (const listener of this.#listeners.get("msg:custom") ?? []) listener(structuredClone(message), buffers);
  }
}

/** Numbers as a DataView whose offset is odd, as it may come from the wire. */
export function unaligned(numbers) {
  const bytes = new Uint8Array(new Float64Array(numbers).buffer);
  const held = new Uint8Array(bytes.length + 3);
  held.set(bytes, 3);
  return new DataView(held.buffer, 3, bytes.length);
}
