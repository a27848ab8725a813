const ENDED = new Set(["done", "failed", "stopped"]);
const PATIENCE_MS = 3000;

/**
 * Knows when a view has outlived its run. At the end the kernel puts the report in the widget's place; a page that
 * was reloaded in mid-run does not find that place any more, and a saved notebook would keep nothing of the run.
 */
export class Stay {
  #onChange;
  #timer;
  tooLong = false;

  constructor(onChange) {
    this.#onChange = onChange;
  }

  look(status) {
    if (!ENDED.has(status) || this.#timer) return;
    this.#timer = setTimeout(() => this.#isTooLong(), PATIENCE_MS);
  }

  destroy() {
    clearTimeout(this.#timer);
  }

  #isTooLong() {
    this.tooLong = true;
    this.#onChange();
  }
}
