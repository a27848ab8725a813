import { clock, remaining } from "./format.js";

/** `1:42 · 48 s left`, for a scene that is `age` seconds old. */
export function timeText({ elapsed, eta, ticking }, age) {
  const passed = ticking ? age : 0;
  const parts = [];
  if (elapsed !== null) parts.push(clock(elapsed + passed));
  if (eta !== null && ticking) parts.push(remaining(eta - passed));
  return parts.join(" · ");
}

/** Asks for a frame at each full second of a ticking scene. */
export class Clock {
  #onSecond;
  #timer;

  constructor(onSecond) {
    this.#onSecond = onSecond;
  }

  // Aimed at the next second each time: an interval would drift and now and then skip one.
  next({ elapsed, ticking }, age) {
    this.stop();
    if (!ticking) return;
    const seconds = (elapsed ?? 0) + age;
    this.#timer = setTimeout(this.#onSecond, 1000 * (Math.floor(seconds) + 1 - seconds) + 5);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
