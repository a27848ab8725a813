import { setAttribute } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

// In a box of 10 by 10. Each state has its own shape, because colour alone tells not everybody.
const SHAPES = {
  waiting: "M5 1.5a3.5 3.5 0 1 0 .01 0",
  queued: "M5 1.5a3.5 3.5 0 1 0 .01 0",
  running: "M5 1a4 4 0 1 0 .01 0",
  stopping: "M5 1a4 4 0 1 0 .01 0",
  done: "M1.5 5.4 4 8 8.6 2.4",
  failed: "M2 2 8 8M8 2 2 8",
  stopped: "M2 2h6v6H2z",
};

/** The shape at the head of a run. */
export class StatusIcon {
  el = document.createElementNS(SVG, "svg");
  #path = document.createElementNS(SVG, "path");

  constructor() {
    this.el.setAttribute("class", "snakepit-icon");
    this.el.setAttribute("viewBox", "0 0 10 10");
    this.el.setAttribute("role", "img");
    this.el.append(this.#path);
  }

  draw(status) {
    setAttribute(this.el, "aria-label", status);
    setAttribute(this.#path, "d", SHAPES[status]);
  }
}
