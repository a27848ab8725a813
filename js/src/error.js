import { element, setText } from "./dom.js";

const SHORT = 12;

/** What went wrong, what to do about it, and where it happened. */
export class ErrorBlock {
  el = element("div", "error");
  #title = element("strong", "error-title");
  #message = element("span", "error-message");
  #hint = element("p", "error-hint");
  #details = element("details", "traceback");
  #traceback = element("pre");
  #drawn = null;

  constructor() {
    const head = element("p", "error-head");
    head.append(this.#title, ": ", this.#message);
    const summary = element("summary");
    summary.textContent = "Traceback";
    this.#details.append(summary, this.#traceback);
    this.el.append(head, this.#hint, this.#details);
  }

  draw(error) {
    this.el.hidden = !error;
    // Drawn once, so that a reader who opened or closed the traceback finds it so.
    const fresh = JSON.stringify(error);
    if (error && fresh !== this.#drawn) this.#fill(error);
    this.#drawn = fresh;
  }

  #fill({ title, message, hint, traceback }) {
    setText(this.#title, title);
    setText(this.#message, message);
    setText(this.#hint, hint);
    this.#hint.hidden = !hint;
    setText(this.#traceback, traceback.trimEnd());
    this.#details.hidden = !traceback;
    this.#details.open = traceback.trimEnd().split("\n").length <= SHORT;
  }
}
