/** Draws at most once per animation frame, however often it is asked to. */
export class Frame {
  #draw;
  #pending = null;

  constructor(draw) {
    this.#draw = draw;
  }

  request = () => {
    this.#pending ??= requestAnimationFrame(() => {
      this.#pending = null;
      this.#draw();
    });
  };

  cancel() {
    cancelAnimationFrame(this.#pending);
  }
}
