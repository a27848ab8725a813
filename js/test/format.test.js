import assert from "node:assert/strict";
import { test } from "node:test";
import { timeText } from "../src/clock.js";
import { clock, remaining, ticks, value } from "../src/format.js";

const table = (name, format, rows) => test(name, () => {
  for (const [given, wanted] of rows) assert.equal(format(given), wanted, `of ${given}`);
});

table("elapsed time reads like a stopwatch", clock, [
  [0, "0:00"], [42.9, "0:42"], [102.3, "1:42"], [3599.9, "59:59"], [3725, "1:02:05"], [-1, "0:00"],
]);

table("remaining time is rounded the more the farther it is", remaining, [
  [-3, "a moment left"], [0, "a moment left"], [0.2, "1 s left"], [47.5, "48 s left"], [59.2, "1 min left"],
  [180, "3 min left"], [3580, "1 h 00 min left"], [7500, "2 h 05 min left"],
]);

table("a value under the cursor has four digits", value, [
  [null, "–"], [undefined, "–"], [0, "0"], [34, "34"], [0.0841, "0.08410"], [1234.5, "1,235"], [0.00031, "3.1e-4"], [2e12, "2e12"],
]);

test("labels of an axis have the digits its step needs", () => {
  assert.deepEqual(ticks([0, 0.5, 1], 0.5), ["0", "0.5", "1"]);
  assert.deepEqual(ticks([-0.02, 0, 0.02], 0.02), ["-0.02", "0", "0.02"]);
  assert.deepEqual(ticks([0, 5e5, 1e6], 5e5), ["0", "500K", "1M"]);
  assert.deepEqual(ticks([0, 5e-5], 5e-5), ["0", "5e-5"]);
});

test("a ticking scene counts on, one that stands does not", () => {
  const scene = { elapsed: 102.3, eta: 48, ticking: true };
  assert.equal(timeText(scene, 0), "1:42 · 48 s left");
  assert.equal(timeText(scene, 10), "1:52 · 38 s left");
  assert.equal(timeText({ ...scene, ticking: false }, 10), "1:42");
  assert.equal(timeText({ elapsed: null, eta: null, ticking: false }, 0), "");
});
