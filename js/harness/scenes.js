import { unaligned } from "./model.js";

// Each show is a script: what the kernel does when the widget says something.
const base = {
  session: "tour", summary: "", elapsed: 0, eta: null, ticking: false, progress: null,
  tiles: [], charts: [], foot: ["session tour"], foot_right: "", log_total: 0, error: null,
};
const scene = (tool, status, rest) => ({ ...base, run: `r-${tool}`, tool, status, ticking: status === "running", ...rest });
const wave = (i) => Math.sin(i * 12.9) * 0.5 + Math.sin(i * 4.1) * 0.5;
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const onReady = (play) => (model, message) => message.kind === "ready" && play(model);

const curves = {
  train_loss: (i) => 0.06 + 2.2 * Math.exp(-i / 6) + wave(i) * 0.012,
  val_loss: (i) => 0.1 + 2.1 * Math.exp(-i / 6.4) + wave(i + 3) * 0.03,
  train_acc: (i) => 0.985 - 0.86 * Math.exp(-i / 5) + wave(i) * 0.004,
  val_acc: (i) => 0.972 - 0.85 * Math.exp(-i / 5.3) + wave(i + 5) * 0.01,
};
const epochs = (from, to) => ({
  epoch: range(from, to),
  ...Object.fromEntries(Object.entries(curves).map(([name, at]) => [name, range(from, to).map(at)])),
});
const epochCharts = [
  { title: "loss", x: "epoch", x_max: 50, lines: ["train_loss", "val_loss"], y_min: null, y_max: null },
  { title: "acc", x: "epoch", x_max: 50, lines: ["train_acc", "val_acc"], y_min: null, y_max: 1 },
];
const trainingScene = (epoch, status = "running") => scene("distributed_training", status, {
  summary: status === "running" ? `running · epoch ${epoch} of 50` : status,
  elapsed: epoch * 3, eta: status === "running" ? (50 - epoch) * 3 : null, progress: epoch / 50,
  tiles: [
    { label: "train_loss", value: curves.train_loss(epoch).toFixed(4), note: "" },
    { label: "val_loss", value: curves.val_loss(epoch).toFixed(4), note: "" },
    { label: "val_acc", value: curves.val_acc(epoch).toFixed(4), note: "best 0.9750 at 31" },
    { label: "learning_rate", value: "3.1e-4", note: "" },
  ],
  charts: epochCharts, foot: ["session tour", "2 workers", "1,284 rows/s", "412 MB"], foot_right: `chunk ${epoch * 10}`,
});

const training = onReady((model) => {
  let epoch = 34;
  model.say("full", trainingScene(epoch), epochs(0, epoch));
  const timer = setInterval(() => {
    epoch += 1;
    model.say("delta", trainingScene(epoch, epoch < 50 ? "running" : "done"), epochs(epoch - 1, epoch));
    if (epoch === 50) clearInterval(timer);
  }, 3000);
});

const beginning = onReady((model) => model.say("full", trainingScene(1), epochs(0, 1)));
const empty = onReady((model) => model.say("full", { ...trainingScene(0), tiles: [], progress: null, eta: null }, {}));

const progress = onReady((model) => {
  const at = (n) => scene("batch_inference", "running", {
    summary: `running · ${n.toLocaleString("en-US")} of 1,000 items`, elapsed: n / 48, eta: (1000 - n) / 48, progress: n / 1000,
    tiles: [{ label: "items", value: n.toLocaleString("en-US"), note: "3 failed" }, { label: "confidence", value: "0.871", note: "mean" }],
    foot: ["session tour", "4 workers", "47.6 items/s"],
  });
  let n = 400;
  model.say("full", at(n));
  setInterval(() => n < 1000 && model.say("delta", at((n += 5))), 100);
});

const failed = onReady((model) => model.say("full", scene("process_large_dataset", "failed", {
  summary: "failed · worker killed by signal 9 (out of memory?)", elapsed: 9, progress: 0.31,
  error: {
    title: "WorkerCrashed",
    message: "the worker running process_large_dataset was killed (signal 9) after 310,000 of 1,000,000 rows.",
    hint: "A new worker has taken its place. Memory at the end: 11.8 GB of a 12 GB limit.",
    traceback: "  cleaning.py:41  in transform\n    frame = frame.pivot(columns=\"sku\")\n",
  },
}), {}, { start: 0, lines: [{ kind: "stdout", text: "reading part 31 of 100" }, { kind: "stderr", text: "RuntimeWarning: memory above 90 % of the limit" }] }));

const longError = onReady((model) => model.say("full", scene("fit", "failed", {
  summary: "failed · ValueError", elapsed: 3723, error: {
    title: "ValueError", message: "could not convert string to float: 'n/a'\nin column price", hint: "",
    traceback: range(0, 20).map((i) => `  File "model.py", line ${i * 7}, in step_${i}\n    value = float(text)`).join("\n"),
  },
}), {}));

const stopped = onReady((model) => model.say("full", { ...trainingScene(21, "stopped"), summary: "stopped · by you at epoch 21 of 50" }, epochs(0, 21)));
const done = onReady((model) => model.say("full", { ...trainingScene(50, "done"), summary: "done · 50 epochs" }, epochs(0, 51)));
const queued = onReady((model) => model.say("full", scene("distributed_training", "queued", { summary: "queued · 2 runs before this one" })));
const waiting = () => {};

const talk = [
  ["stdout", "15:30:44  pool size 20, 20 in use"],
  ["log", "15:30:45  ERROR Database connection failed: timeout after 30s"],
  ["stdout", "15:30:45  retrying in 2 s"],
  ["stderr", "15:30:46  urllib3: connection pool is full, discarding connection"],
  ["log", "15:30:50  WARN  High memory usage detected: 85% of heap used"],
];
const logOnly = onReady((model) => {
  const line = (i) => ({ kind: talk[i % 5][0], text: talk[i % 5][1] });
  const at = (n) => scene("tail_and_analyze", "running", {
    summary: "following app.log · 2 patterns", elapsed: n, log_total: n,
    foot: ["ERROR 14", "WARN 52", "3.2 lines/s"],
  });
  let n = 1211;
  model.say("full", at(n), {}, { start: 1204, lines: range(1204, n).map(line) });
  setInterval(() => model.say("delta", at((n += 1)), {}, { start: n - 1, lines: [line(n - 1)] }), 700);
});

const gaps = onReady((model) => {
  const at = (i) => (i % 40 > 32 ? NaN : Math.sin(i / 25));
  const xs = range(0, 400);
  model.say("full", scene("probe", "running", {
    summary: "running · six lines, gaps, lone points", elapsed: 3700, eta: 7500,
    charts: [
      { title: "amplitude", x: "t", x_max: null, lines: ["a", "b", "c", "d", "e", "f"], y_min: null, y_max: null },
      { title: "throughput", x: "t", x_max: null, lines: ["rows_per_s"], y_min: 0, y_max: null },
      { title: "gradient", x: "t", x_max: null, lines: ["gradient"], y_min: null, y_max: null },
    ],
  }), {
    t: xs, rows_per_s: xs.map((i) => 1.2e6 + 1e5 * wave(i / 9)), gradient: xs.map((i) => 3e-5 * Math.exp(-i / 90) * (1.5 + wave(i))),
    a: xs.map(at), b: xs.map((i) => (i % 25 ? NaN : 0.3 + wave(i))), c: xs.map((i) => Math.cos(i / 30)), d: xs.map((i) => Math.cos(i / 40) / 2),
    e: xs.map((i) => i / 400), f: xs.map((i) => 1 - i / 300),
  });
});

const many = onReady((model) => {
  const at = (from, to) => ({ step: range(from, to), loss: range(from, to).map((i) => 2 * Math.exp(-i / 3e4) + 0.2 * wave(i)), ema: range(from, to).map((i) => 2 * Math.exp(-i / 3e4)) });
  const shown = (n) => scene("many", "running", { summary: `running · step ${n}`, elapsed: n / 50, foot_right: `chunk ${n}`,
    charts: [{ title: "loss", x: "step", x_max: null, lines: ["loss", "ema"], y_min: null, y_max: null }] });
  let n = 1e5;
  model.say("full", shown(n), at(0, n));
  setInterval(() => model.say("delta", shown(n + 2), at(n, (n += 2))), 40);
});

const orphan = () => {};

/** What a reloaded page holds of a run before, or without, an answer from the kernel. */
export const snapshots = {
  orphan: {
    seq: 9, scene: { ...trainingScene(21), run: "r-orphan" }, log: { start: 0, lines: [] },
    columns: Object.fromEntries(Object.entries(epochs(0, 21)).map(([name, numbers]) => [name, unaligned(numbers)])),
  },
};

export const shows = { training, progress, failed, stopped, log: logOnly, done, queued, beginning, empty, waiting, gaps, error: longError, many, orphan };
