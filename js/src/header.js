import { element, setAttribute, setText } from "./dom.js";
import { StatusIcon } from "./icon.js";
import { StopButton } from "./stop.js";

/** State, name, summary, time, Stop. */
export class Header {
  el = element("header", "header");
  #icon = new StatusIcon();
  #tool = element("strong", "tool");
  #summary = element("span", "summary");
  #time = element("span", "time");
  #stop;

  constructor(onStop, onChange) {
    this.#stop = new StopButton(onStop, onChange);
    this.el.append(this.#icon.el, this.#tool, this.#summary, this.#time, this.#stop.el);
  }

  draw({ status, tool, summary }, time) {
    this.#icon.draw(status);
    setText(this.#tool, tool);
    this.#tool.hidden = !tool;
    setText(this.#summary, summary);
    setAttribute(this.#summary, "title", summary);
    setText(this.#time, time);
    this.#stop.draw(status);
  }

  destroy() {
    this.#stop.destroy();
  }
}
