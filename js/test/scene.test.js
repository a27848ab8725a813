import assert from "node:assert/strict";
import { test } from "node:test";
import { earlier } from "../src/foot.js";
import { addsSomething } from "../src/legend.js";
import { filled } from "../src/progress.js";
import { stopFace } from "../src/stop.js";

test("the Stop button follows the status and what was asked", () => {
  assert.equal(stopFace("running", false), "ready");
  assert.equal(stopFace("queued", false), "ready");
  assert.equal(stopFace("running", true), "stopping");
  assert.equal(stopFace("stopping", false), "stopping");
  for (const ended of ["done", "failed", "stopped", "waiting"]) assert.equal(stopFace(ended, true), "hidden");
});

test("the bar is full at an end, empty before the start, and honest between", () => {
  assert.equal(filled({ status: "running", progress: 0.68 }), 0.68);
  assert.equal(filled({ status: "running", progress: 1.2 }), 1);
  assert.equal(filled({ status: "running", progress: null }), null);
  assert.equal(filled({ status: "queued", progress: null }), 0);
  assert.equal(filled({ status: "done", progress: null }), 1);
  assert.equal(filled({ status: "failed", progress: 0.31 }), 0.31);
});

test("the footer counts the lines before the first one shown", () => {
  assert.equal(earlier({ log_total: 0 }, []), "");
  assert.equal(earlier({ log_total: 3 }, [{ number: 0 }]), "");
  assert.equal(earlier({ log_total: 2 }, [{ number: 1 }]), "1 earlier line");
  assert.equal(earlier({ log_total: 1300 }, [{ number: 1204 }]), "1,204 earlier lines");
});

test("a chart shows its title only if its lines do not say it", () => {
  assert.equal(addsSomething({ title: "loss", lines: ["train_loss", "val_loss"] }), false);
  assert.equal(addsSomething({ title: "throughput", lines: ["rows_per_s"] }), true);
  assert.equal(addsSomething({ title: "", lines: ["a"] }), false);
});
