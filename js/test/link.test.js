import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FakeModel } from "../harness/model.js";
import { Link } from "../src/link.js";
import { Store } from "../src/store.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

function opened(snapshot) {
  const model = new FakeModel(() => {}, snapshot);
  const store = new Store();
  const link = new Link(model, store, () => {});
  link.open();
  return { model, store, link };
}

test("a view shows the snapshot and asks for the rest", () => {
  const { model, store } = opened({ seq: 7, scene: { summary: "old" }, columns: {}, log: { start: 0, lines: [] } });
  assert.equal(store.scene.summary, "old");
  assert.deepEqual(model.sent, [{ kind: "ready" }]);
});

test("a gap asks for everything with the last number that was applied", () => {
  const { model, link } = opened();
  model.say("full", {});
  model.skip();
  model.say("delta", {});
  model.say("delta", {});
  link.stop();
  assert.deepEqual(model.sent.slice(1), [{ kind: "resync", seq: 1 }, { kind: "stop" }]);
});

test("a kernel that says nothing for four seconds is silent, until it speaks", () => {
  const { model, link } = opened();
  mock.timers.tick(3999);
  assert.equal(link.state, "waiting");
  mock.timers.tick(1);
  assert.equal(link.state, "silent");
  model.say("full", {});
  assert.equal(link.state, "live");
});

test("after close nothing is heard any more", () => {
  const { model, store, link } = opened();
  link.close();
  model.say("full", {});
  assert.equal(store.seq, null);
});
