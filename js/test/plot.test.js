import assert from "node:assert/strict";
import { test } from "node:test";
import { xRange, yRange } from "../src/plot.js";

test("x spans the whole run if its end is known", () => {
  assert.deepEqual(xRange([1, 2, 3], 50), [0, 50]);
  assert.deepEqual(xRange([1, 60], 50), [0, 60]);
  assert.deepEqual(xRange([], 50), [0, 50]);
});

test("else x spans what is there, and a single point has room", () => {
  assert.deepEqual(xRange([1, 2, 3], null), [1, 3]);
  assert.deepEqual(xRange([4], null), [3.5, 4.5]);
  assert.deepEqual(xRange([], null), [0, 1]);
});

test("y begins at zero if zero is near, and gives the data air if not", () => {
  assert.equal(yRange(0.125, 0.98, null, null)[0], 0);
  const [low, high] = yRange(0.95, 0.99, null, null);
  assert.ok(0.9 < low && low < 0.95 && high > 0.99);
});

test("a chart may fix either end of y", () => {
  assert.deepEqual(yRange(0.2, 0.9, 0, 1), [0, 1]);
  assert.equal(yRange(0.2, 0.9, null, 1)[1], 1);
  assert.deepEqual(yRange(Infinity, -Infinity, null, null), [0, 1]);
  assert.deepEqual(yRange(3, 4, 5, 5), [5, 6]);
});
