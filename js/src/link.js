import { APPLIED, GAP } from "./store.js";

const PATIENCE_MS = 4000;

/** One view's end of the conversation with the kernel: feeds the store, asks for what is missing. */
export class Link {
  #model;
  #store;
  #onChange;
  #timer;
  #heard = (message, buffers) => this.#took(this.#store.receive(message, buffers));
  #synced = () => this.#took(this.#store.restore(this.#model.get("snapshot")));

  /** `waiting` until the kernel answers, `live` from then on, `silent` if it does not. */
  state = "waiting";
  /** When the scene in the store came, on the clock of `performance.now()`. */
  receivedAt = 0;

  constructor(model, store, onChange) {
    this.#model = model;
    this.#store = store;
    this.#onChange = onChange;
  }

  /** Show what the page holds already, listen, and ask for the rest. */
  open() {
    if (this.#store.restore(this.#model.get("snapshot")) === APPLIED) this.receivedAt = performance.now();
    this.#model.on("msg:custom", this.#heard);
    this.#model.on("change:snapshot", this.#synced);
    this.#timer = setTimeout(() => this.#become("silent"), PATIENCE_MS);
    this.#send({ kind: "ready" });
  }

  stop() {
    this.#send({ kind: "stop" });
  }

  close() {
    clearTimeout(this.#timer);
    this.#model.off("msg:custom", this.#heard);
    this.#model.off("change:snapshot", this.#synced);
  }

  #took(outcome) {
    if (outcome === GAP) this.#send({ kind: "resync", seq: this.#store.seq });
    if (outcome === APPLIED) this.receivedAt = performance.now();
    clearTimeout(this.#timer);
    this.#become("live");
  }

  #become(state) {
    this.state = state;
    this.#onChange();
  }

  #send(message) {
    this.#model.send(message);
  }
}
