import { Chart, fits } from "./chart.js";
import { element } from "./dom.js";
import { coloursOf } from "./theme.js";

let views = 0;

/** All charts of a view. While they cannot be seen they are not drawn again. */
export class ChartGrid {
  el = element("div", "charts");
  #charts = [];
  #root;
  #colours = null;
  #visible = true;
  #sizes;
  #sight;
  // Charts of one view show the same x under the cursor; those of another view have their own cursor.
  #view = `snakepit-${(views += 1)}`;

  constructor(onChange) {
    this.#sizes = new ResizeObserver(onChange);
    this.#sight = new IntersectionObserver((entries) => {
      this.#visible = entries[entries.length - 1].isIntersecting;
      onChange();
    });
    this.#sizes.observe(this.el);
    this.#sight.observe(this.el);
  }

  draw(specs, columns) {
    this.el.hidden = specs.length === 0;
    this.#readColours();
    specs.forEach((spec, i) => this.#place(spec, i));
    while (this.#charts.length > specs.length) this.#charts.pop().destroy();
    this.#charts.forEach((chart, i) => {
      if (this.#visible || chart.isBlank) chart.draw(specs[i], columns, this.#colours);
    });
  }

  /** Read the colours again; `root` carries the theme. */
  recolour(root) {
    this.#root = root;
    this.#colours = null;
    this.#readColours();
  }

  destroy() {
    this.#sizes.disconnect();
    this.#sight.disconnect();
    for (const chart of this.#charts) chart.destroy();
  }

  // A widget is first drawn before it stands on the page, and has no colours until then.
  #readColours() {
    if (this.#colours) return;
    this.#colours = coloursOf(this.#root);
    if (this.#colours) this.#charts.forEach((chart) => chart.recolour(this.#colours));
  }

  #place(spec, i) {
    const old = this.#charts[i];
    if (old && fits(old, spec)) return;
    const chart = new Chart(spec, this.#view);
    if (old) old.el.replaceWith(chart.el);
    else this.el.append(chart.el);
    old?.destroy();
    this.#charts[i] = chart;
  }
}
