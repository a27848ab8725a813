import { element, setAttribute } from "./dom.js";

/** How much of the bar is filled; null for a bar that only says "at work". */
export function filled({ status, progress }) {
  if (progress !== null) return Math.min(1, Math.max(0, progress));
  if (status === "running" || status === "stopping") return null;
  return status === "waiting" || status === "queued" ? 0 : 1;
}

export class Progress {
  el = element("div", "progress", { role: "progressbar", "aria-label": "progress", "aria-valuemin": 0, "aria-valuemax": 100 });
  #fill = element("div", "fill");

  constructor() {
    this.el.append(this.#fill);
  }

  draw(scene) {
    const share = filled(scene);
    this.el.classList.toggle("snakepit-unknown", share === null);
    setAttribute(this.el, "aria-valuenow", scene.progress === null ? null : Math.round(100 * share));
    setAttribute(this.el, "aria-valuetext", scene.summary);
    this.#fill.style.transform = share === null ? "" : `scaleX(${share})`;
  }
}
