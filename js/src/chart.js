import uPlot from "uplot";
import { element } from "./dom.js";
import { Legend } from "./legend.js";
import { options } from "./plot.js";
import { Rows } from "./rows.js";
import { LastValues } from "./table.js";

/** Whether a chart that is there can go on with this description. */
export function fits(chart, { title, x, lines }) {
  return chart.identity === identity(title, x, lines);
}

const identity = (...parts) => JSON.stringify(parts);

/** One chart: legend above, canvas, and its last values as a table for those who cannot see it. */
export class Chart {
  el;
  identity;
  /** What the plot's callbacks read; the newest description and colours. */
  spec;
  colours;
  #host = element("div", "plot", { "aria-hidden": "true" });
  #view;
  #legend;
  #table;
  #rows;
  #plot = null;
  #drawn = {};

  constructor(spec, view) {
    this.spec = spec;
    this.#view = view;
    this.identity = identity(spec.title, spec.x, spec.lines);
    this.el = element("div", "chart", { role: "group", "aria-label": `chart: ${spec.title}` });
    this.#legend = new Legend(spec);
    this.#table = new LastValues(spec);
    this.#rows = new Rows(spec.x, spec.lines);
    this.el.append(this.#legend.el, this.#host, this.#table.el);
  }

  get isBlank() {
    return this.#plot === null;
  }

  draw(spec, columns, colours) {
    this.spec = spec;
    this.colours = colours;
    if (colours) this.#fitWidth();
    if (this.#plot && this.#isNew(columns)) this.#fill(this.#rows.update(columns));
  }

  recolour(colours) {
    this.colours = colours;
    this.#plot?.redraw(false);
  }

  destroy() {
    this.#plot?.destroy();
    this.el.remove();
  }

  // A widget may be drawn before it has a place on the page; the plot waits until there is room.
  #fitWidth() {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (!width) return;
    if (!this.#plot) this.#plot = new uPlot(this.#options(width, height), this.#rows.data, this.#host);
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height });
  }

  #options(width, height) {
    return { width, height, ...options(this, this.#view, (plot) => this.#legend.draw(plot)) };
  }

  #isNew({ generation, rows }) {
    const state = { generation, rows, ...this.spec };
    const same = Object.keys(state).every((key) => key === "lines" || state[key] === this.#drawn[key]);
    this.#drawn = state;
    return !same;
  }

  #fill(data) {
    this.el.classList.toggle("snakepit-empty", data[0].length === 0);
    this.#plot.setData(data);
    this.#table.draw(data);
    this.#legend.draw(this.#plot);
  }
}
