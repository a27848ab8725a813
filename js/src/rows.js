/** The rows of one chart, as uPlot wants them: ascending x, and null where a line has a gap. */
export class Rows {
  #names;
  #read = 0;
  #generation = -1;
  #ascending = true;

  /** `[xs, ys, ys…]`; grows in place. */
  data;

  constructor(x, lines) {
    this.#names = [x, ...lines];
    this.#clear();
  }

  /** Read what the columns have gained since the last call. */
  update(columns) {
    if (columns.generation !== this.#generation) this.#clear();
    this.#generation = columns.generation;
    const sources = this.#names.map((name) => columns.get(name));
    if (sources[0]) for (let row = this.#read; row < columns.rows; row++) this.#take(sources, row);
    this.#read = columns.rows;
    if (!this.#ascending) this.#sort();
    return this.data;
  }

  #clear() {
    this.data = this.#names.map(() => []);
    this.#read = 0;
  }

  // A row that holds nothing for this chart would tear every line apart, so it is left out.
  #take(sources, row) {
    const xs = this.data[0];
    const values = sources.map((source) => number(source, row));
    if (values[0] === null || values.every((value, i) => i === 0 || value === null)) return;
    if (xs.length && values[0] < xs[xs.length - 1]) this.#ascending = false;
    values.forEach((value, i) => this.data[i].push(value));
  }

  // A run that was resumed may count from an earlier x again; uPlot searches x by halves.
  #sort() {
    const xs = this.data[0];
    const order = xs.map((_, i) => i).sort((a, b) => xs[a] - xs[b] || a - b);
    this.data = this.data.map((values) => order.map((i) => values[i]));
    this.#ascending = true;
  }
}

function number(source, row) {
  return source && Number.isFinite(source[row]) ? source[row] : null;
}

/** Indices of values without a neighbour: no line leads to them, so they need a dot. */
export function isolated(values) {
  const found = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  }
  return found;
}

/** The last value of a line, null if it has none. */
export function lastOf(values) {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i];
  return null;
}
