import { Announcer } from "./announcer.js";
import { ChartGrid } from "./charts.js";
import { Clock, timeText } from "./clock.js";
import { element, setAttribute } from "./dom.js";
import { ErrorBlock } from "./error.js";
import { Foot } from "./foot.js";
import { Header } from "./header.js";
import { LogLines } from "./log.js";
import { Progress } from "./progress.js";
import { Stay } from "./stay.js";
import { followTheme } from "./theme.js";
import { Tiles } from "./tiles.js";

/** What is shown before the kernel has said anything. */
const WAITING = {
  run: "", tool: "", status: "waiting", summary: "waiting for the kernel…",
  elapsed: null, eta: null, ticking: false, progress: null,
  tiles: [], charts: [], foot: [], foot_right: "", log_total: 0, error: null,
};

/** One place on the page that shows the run: its sections, drawn from the store. */
export class View {
  #root = element("section", "run");
  #body = element("div", "body");
  #tiles = new Tiles();
  #error = new ErrorBlock();
  #log = new LogLines();
  #progress = new Progress();
  #foot = new Foot();
  #announcer = new Announcer();
  #header;
  #charts;
  #clock;
  #stay;
  #endTheme;

  constructor(el, { onStop, onChange }) {
    this.#header = new Header(onStop, onChange);
    this.#charts = new ChartGrid(onChange);
    this.#clock = new Clock(onChange);
    this.#stay = new Stay(onChange);
    this.#body.append(this.#error.el, this.#tiles.el, this.#charts.el, this.#log.el);
    this.#root.append(this.#header.el, this.#progress.el, this.#body, this.#foot.el, this.#announcer.el);
    el.append(this.#root);
    this.#endTheme = followTheme(this.#root, () => this.#charts.recolour(this.#root));
  }

  draw(store, link) {
    const scene = store.scene ?? WAITING;
    this.#mark(scene, store);
    this.#header.draw(scene, this.#time(scene, link));
    this.#progress.draw(scene);
    this.#drawBody(scene, store);
    this.#foot.draw(scene, store.log, this.#notes(scene, link));
    this.#announcer.draw(scene);
  }

  destroy() {
    this.#endTheme();
    this.#clock.stop();
    this.#stay.destroy();
    this.#header.destroy();
    this.#charts.destroy();
    this.#root.remove();
  }

  #drawBody(scene, store) {
    this.#error.draw(scene.error);
    this.#tiles.draw(scene.tiles);
    this.#charts.draw(scene.charts, store.columns);
    this.#log.draw(scene, store.log);
    this.#body.hidden = [...this.#body.children].every((section) => section.hidden);
  }

  #notes({ status, run }, link) {
    this.#stay.look(status);
    return [
      link.state === "silent" && "not connected to the kernel",
      this.#stay.tooLong && `to keep this in the notebook: %snakepit report ${run}`,
    ];
  }

  #mark({ status, run, tool }, store) {
    setAttribute(this.#root, "aria-label", tool ? `run of ${tool}` : "run");
    setAttribute(this.#root, "data-status", status);
    setAttribute(this.#root, "data-run", run);
    setAttribute(this.#root, "data-seq", store.seq);
    setAttribute(this.#root, "data-points", store.columns.rows);
  }

  // Only a kernel that answers makes the time go on: counting a dead run's seconds would be a lie.
  #time(scene, link) {
    const ticking = scene.ticking && link.state === "live";
    const age = ticking ? (performance.now() - link.receivedAt) / 1000 : 0;
    this.#clock.next({ ...scene, ticking }, age);
    return timeText(scene, age);
  }
}
