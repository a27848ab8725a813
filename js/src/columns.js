/** Equally long columns of float64 that grow at the end; NaN where a row has no number of that name. */
export class Columns {
  #held = new Map();
  rows = 0;
  /** Changes when rows that were read before may have changed. */
  generation = 0;

  replace(names, arrays) {
    this.#held.clear();
    this.rows = 0;
    this.generation += 1;
    this.append(names, arrays);
  }

  append(names, arrays) {
    const end = this.rows + Math.max(0, ...arrays.map((array) => array.length));
    for (const name of names) if (!this.#held.has(name)) this.#held.set(name, new Float64Array(0));
    for (const [name, array] of this.#held) this.#held.set(name, withRoom(array, end));
    names.forEach((name, i) => this.#held.get(name).set(arrays[i], this.rows));
    this.rows = end;
  }

  /** The column's values, as a view that holds until the next change; undefined for a name never seen. */
  get(name) {
    return this.#held.get(name)?.subarray(0, this.rows);
  }
}

// Room doubles, so that a run of n rows copies only O(n) numbers. What lies beyond the last row is NaN already,
// which is also what a late or a left-out column shall hold.
function withRoom(array, end) {
  if (array.length >= end) return array;
  const larger = new Float64Array(Math.max(end, 2 * array.length, 64)).fill(NaN);
  larger.set(array);
  return larger;
}

/** Copy a message's buffer: its offset need not be a multiple of 8, and the sender may use the memory again. */
export function floats({ buffer, byteOffset, byteLength }) {
  return new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
