import { element, setText } from "./dom.js";

/** Tells screen readers when the status changes, and nothing else: a run has far too many ticks to be read out. */
export class Announcer {
  el = element("div", "unseen", { "aria-live": "polite" });
  #status = null;

  draw({ tool, status, summary }) {
    if (this.#status !== null && this.#status !== status) setText(this.el, `${tool}: ${status}. ${summary}`);
    this.#status = status;
  }
}
