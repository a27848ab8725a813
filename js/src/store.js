import { Columns, floats } from "./columns.js";

export const LOG_LIMIT = 500;

/** What came of a message: draw, do nothing, or ask the kernel for everything. */
export const APPLIED = "applied";
export const IGNORED = "ignored";
export const GAP = "gap";

/** What a view knows of its run: folded from the kernel's messages, without DOM or clock. */
export class Store {
  seq = null;
  scene = null;
  columns = new Columns();
  /** The last lines, each `{number, kind, text}`; numbers count over the whole run, so gaps show. */
  log = [];
  // A drawn view asks for everything at once (`ready`), so it begins by waiting for it.
  #awaitsFull = true;

  receive(message, buffers) {
    if (message.kind === "full") return this.#full(message, buffers.map(floats));
    if (message.kind === "delta") return this.#delta(message, buffers);
    return IGNORED;
  }

  /** Take the synced snapshot over if it is newer. An answer that was asked for is still to come. */
  restore(snapshot) {
    if (!snapshot?.scene || this.#isOld(snapshot.seq)) return IGNORED;
    const { columns } = snapshot;
    return this.#replace({ ...snapshot, columns: Object.keys(columns) }, Object.values(columns).map(floats));
  }

  #full(message, arrays) {
    if (this.#isOld(message.seq) && !this.#awaitsFull) return IGNORED;
    this.#awaitsFull = false;
    return this.#replace(message, arrays);
  }

  #delta(message, buffers) {
    if (this.#isOld(message.seq)) return IGNORED;
    if (this.seq === null || message.seq !== this.seq + 1) return this.#gap();
    this.seq = message.seq;
    this.scene = message.scene;
    this.columns.append(message.columns, buffers.map(floats));
    this.log = joined(this.log, message.log);
    return APPLIED;
  }

  #replace({ seq, scene, columns, log }, arrays) {
    this.seq = seq;
    this.scene = scene;
    this.columns.replace(columns, arrays);
    this.log = joined([], log);
    return APPLIED;
  }

  #gap() {
    if (this.#awaitsFull) return IGNORED;
    this.#awaitsFull = true;
    return GAP;
  }

  #isOld(seq) {
    return this.seq !== null && seq <= this.seq;
  }
}

function joined(held, { start, lines }) {
  const next = held.length ? held[held.length - 1].number + 1 : 0;
  const numbered = lines.map((line, i) => ({ ...line, number: start + i }));
  return [...held, ...numbered.filter((line) => line.number >= next)].slice(-LOG_LIMIT);
}
