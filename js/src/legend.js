import { element, setText } from "./dom.js";
import { value } from "./format.js";
import { seriesVariable } from "./theme.js";

/** The lines' names and colours; with the cursor on the chart also their values there. */
export class Legend {
  el = element("div", "legend");
  #spec;
  #values;
  #x = element("span", "legend-x");

  constructor(spec) {
    this.#spec = spec;
    this.#values = spec.lines.map(() => element("span", "legend-value"));
    if (addsSomething(spec)) this.el.append(titleOf(spec));
    this.el.append(...spec.lines.map((name, i) => this.#key(name, i)), this.#x);
  }

  draw(plot) {
    const { idx } = plot.cursor;
    const on = idx !== null && idx !== undefined && plot.cursor.left >= 0;
    this.#values.forEach((node, i) => setText(node, on ? value(plot.data[i + 1][idx]) : ""));
    setText(this.#x, on ? `${this.#spec.x} ${value(plot.data[0][idx])}` : this.#spec.x);
  }

  #key(name, i) {
    const key = element("span", "key", { style: `--colour: ${seriesVariable(i)}` });
    key.append(name, this.#values[i]);
    return key;
  }
}

function titleOf({ title }) {
  const node = element("span", "legend-title");
  node.textContent = title;
  return node;
}

// `loss` above `train_loss` and `val_loss` says nothing new.
export function addsSomething({ title, lines }) {
  return Boolean(title) && !lines.some((name) => name.includes(title));
}
