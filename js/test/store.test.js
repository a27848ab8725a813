import assert from "node:assert/strict";
import { test } from "node:test";
import { unaligned } from "../harness/model.js";
import { APPLIED, GAP, IGNORED, LOG_LIMIT, Store } from "../src/store.js";

const noLog = { start: 0, lines: [] };
const lines = (from, to) => ({ start: from, lines: Array.from({ length: to - from }, (_, i) => ({ kind: "stdout", text: `line ${from + i}` })) });

function hear(store, kind, seq, columns = {}, log = noLog) {
  const message = { kind, seq, scene: { summary: `scene ${seq}` }, columns: Object.keys(columns), log };
  return store.receive(message, Object.values(columns).map(unaligned));
}

function begun(columns = { epoch: [0, 1], loss: [9, 8] }) {
  const store = new Store();
  hear(store, "full", 1, columns);
  return store;
}

test("a full message replaces everything", () => {
  const store = begun();
  assert.equal(hear(store, "full", 2, { step: [5] }, lines(3, 5)), APPLIED);
  assert.equal(store.seq, 2);
  assert.equal(store.scene.summary, "scene 2");
  assert.deepEqual([...store.columns.get("step")], [5]);
  assert.equal(store.columns.get("loss"), undefined);
  assert.deepEqual(store.log.map((line) => line.number), [3, 4]);
});

test("a delta appends to the columns and replaces the scene", () => {
  const store = begun();
  assert.equal(hear(store, "delta", 2, { epoch: [2], loss: [7] }), APPLIED);
  assert.deepEqual([...store.columns.get("loss")], [9, 8, 7]);
  assert.equal(store.columns.rows, 3);
  assert.equal(store.scene.summary, "scene 2");
});

test("a column that comes later is NaN for the rows before", () => {
  const store = begun();
  hear(store, "delta", 2, { epoch: [2], val_loss: [4] });
  assert.deepEqual([...store.columns.get("val_loss")], [NaN, NaN, 4]);
});

test("a column that a delta leaves out is NaN for its rows", () => {
  const store = begun();
  hear(store, "delta", 2, { epoch: [2] });
  hear(store, "delta", 3, { epoch: [3], loss: [6] });
  assert.deepEqual([...store.columns.get("loss")], [9, 8, NaN, 6]);
});

test("columns stay equally long over many appends", () => {
  const store = begun({ x: [] });
  for (let i = 0; i < 300; i++) hear(store, "delta", i + 2, i % 2 ? { x: [i], odd: [i] } : { x: [i] });
  assert.equal(store.columns.get("x").length, 300);
  assert.equal(store.columns.get("odd").length, 300);
  assert.equal(store.columns.get("odd")[299], 299);
});

test("an old or repeated message changes nothing", () => {
  const store = begun();
  hear(store, "delta", 2, { epoch: [2] });
  assert.equal(hear(store, "delta", 2, { epoch: [99] }), IGNORED);
  assert.equal(hear(store, "delta", 1, { epoch: [99] }), IGNORED);
  assert.equal(hear(store, "full", 1, { epoch: [99] }), IGNORED);
  assert.deepEqual([...store.columns.get("epoch")], [0, 1, 2]);
});

test("a gap is reported once until a full message arrives", () => {
  const store = begun();
  assert.equal(hear(store, "delta", 3), GAP);
  assert.equal(hear(store, "delta", 4), IGNORED);
  assert.equal(store.seq, 1);
  assert.equal(hear(store, "full", 5), APPLIED);
  assert.equal(hear(store, "delta", 7), GAP);
});

test("before the first full message, which `ready` asks for, deltas are no gap", () => {
  assert.equal(hear(new Store(), "delta", 12), IGNORED);
});

test("a full message that was asked for is taken whatever its number", () => {
  const store = new Store();
  store.restore({ seq: 8, scene: {}, columns: {}, log: noLog });
  assert.equal(hear(store, "full", 1), APPLIED);
});

test("a snapshot is taken over only if it is newer", () => {
  const store = begun();
  assert.equal(store.restore({ seq: 1, scene: {}, columns: {}, log: noLog }), IGNORED);
  assert.equal(store.restore({ seq: 4, scene: {}, columns: { t: unaligned([1, 2]) }, log: lines(0, 2) }), APPLIED);
  assert.deepEqual([...store.columns.get("t")], [1, 2]);
  assert.equal(hear(store, "delta", 5, { t: [3] }), APPLIED);
});

test("an empty snapshot is none", () => {
  assert.equal(new Store().restore({}), IGNORED);
  assert.equal(new Store().restore(undefined), IGNORED);
});

test("an unknown kind of message is left alone", () => {
  assert.equal(hear(begun(), "news", 2), IGNORED);
});

test("log lines are kept by number: no line twice, gaps visible, the oldest go", () => {
  const store = begun();
  hear(store, "delta", 2, {}, lines(0, 3));
  hear(store, "delta", 3, {}, lines(2, 4));
  hear(store, "delta", 4, {}, lines(9, 10));
  assert.deepEqual(store.log.map((line) => line.number), [0, 1, 2, 3, 9]);
  hear(store, "delta", 5, {}, lines(10, 10 + LOG_LIMIT));
  assert.equal(store.log.length, LOG_LIMIT);
  assert.equal(store.log[0].number, 10);
});
