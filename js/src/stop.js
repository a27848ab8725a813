import { element, setText } from "./dom.js";

const SECOND_CHANCE_MS = 5000;

/** How the button looks: `hidden`, `ready` or `stopping`. */
export function stopFace(status, asked) {
  if (status === "stopping") return "stopping";
  if (status !== "running" && status !== "queued") return "hidden";
  return asked ? "stopping" : "ready";
}

/** Asks once, says so at once; can be pressed again if the kernel did not take it up. */
export class StopButton {
  el = element("button", "stop", { type: "button" });
  #status;
  #asked = false;
  #timer;

  constructor(onStop, onChange) {
    this.el.addEventListener("click", () => {
      this.#asked = true;
      this.draw(this.#status);
      this.#timer = setTimeout(() => {
        this.#asked = false;
        onChange();
      }, SECOND_CHANCE_MS);
      onStop();
    });
  }

  draw(status) {
    this.#status = status;
    const face = stopFace(status, this.#asked);
    this.el.hidden = face === "hidden";
    this.el.disabled = face === "stopping";
    setText(this.el, face === "stopping" ? "Stopping…" : "Stop");
  }

  destroy() {
    clearTimeout(this.#timer);
  }
}
