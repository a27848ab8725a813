import { drawList, element, setText } from "./dom.js";
import { count } from "./format.js";

/** Quiet facts: the scene's own, what the log left out, and notes on the view itself. */
export class Foot {
  el = element("footer", "foot");
  #left = element("div", "foot-left");
  #right = element("div", "foot-right");

  constructor() {
    this.el.append(this.#left, this.#right);
  }

  draw(scene, log, notes) {
    const right = [...notes, earlier(scene, log), scene.foot_right].filter(Boolean);
    drawList(this.#left, scene.foot, makeItem, setText);
    drawList(this.#right, right, makeItem, setText);
    this.el.hidden = scene.foot.length + right.length === 0;
  }
}

const makeItem = () => element("span", "fact");

/** `1,204 earlier lines`, or nothing if the log is shown from its beginning. */
export function earlier({ log_total: total }, log) {
  const leftOut = log.length ? log[0].number : total;
  if (!leftOut) return "";
  return leftOut === 1 ? "1 earlier line" : `${count(leftOut)} earlier lines`;
}
