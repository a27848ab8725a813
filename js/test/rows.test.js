import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "../src/columns.js";
import { Rows, isolated, lastOf } from "../src/rows.js";

const N = NaN;

function columnsOf(held) {
  const columns = new Columns();
  columns.replace(Object.keys(held), Object.values(held));
  return columns;
}

test("NaN becomes a gap, and rows that say nothing to the chart are left out", () => {
  const columns = columnsOf({ x: [0, 1, 2, N], a: [5, N, N, 1], b: [N, 6, N, 1] });
  assert.deepEqual(new Rows("x", ["a", "b"]).update(columns), [[0, 1], [5, null], [null, 6]]);
});

test("rows are read on from where the last reading ended", () => {
  const columns = columnsOf({ x: [0], a: [5] });
  const rows = new Rows("x", ["a", "late"]);
  rows.update(columns);
  columns.append(["x", "a", "late"], [[1], [6], [7]]);
  assert.deepEqual(rows.update(columns), [[0, 1], [5, 6], [null, 7]]);
});

test("columns that were replaced are read anew", () => {
  const columns = columnsOf({ x: [0, 1], a: [5, 6] });
  const rows = new Rows("x", ["a"]);
  rows.update(columns);
  columns.replace(["x", "a"], [[1], [6]]);
  assert.deepEqual(rows.update(columns), [[1], [6]]);
});

test("an x that goes back is sorted in", () => {
  const columns = columnsOf({ x: [0, 1, 2, 1.5], a: [1, 2, 3, 4] });
  assert.deepEqual(new Rows("x", ["a"]).update(columns), [[0, 1, 1.5, 2], [1, 2, 4, 3]]);
});

test("without its x a chart is empty", () => {
  assert.deepEqual(new Rows("x", ["a"]).update(columnsOf({ a: [1] })), [[], []]);
});

test("lone values need a dot", () => {
  assert.deepEqual(isolated([1]), [0]);
  assert.deepEqual(isolated([1, 2, null, 3, null, 4, 5]), [3]);
  assert.deepEqual(isolated([null, null]), []);
});

test("the last value of a line skips gaps", () => {
  assert.equal(lastOf([1, 2, null]), 2);
  assert.equal(lastOf([null]), null);
});
