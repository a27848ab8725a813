import { element, setText } from "./dom.js";
import { value } from "./format.js";
import { lastOf } from "./rows.js";

/** A chart's last values as a table that only screen readers meet. */
export class LastValues {
  el = element("table", "unseen");
  #cells;

  constructor({ title, x, lines }) {
    const caption = element("caption");
    caption.textContent = `${title}: last values`;
    this.#cells = [x, ...lines].map(() => element("td"));
    this.el.append(caption, ...[x, ...lines].map((name, i) => row(name, this.#cells[i])));
  }

  draw(data) {
    this.#cells.forEach((cell, i) => setText(cell, value(lastOf(data[i]))));
  }
}

function row(name, cell) {
  const [tr, th] = [element("tr"), element("th", "", { scope: "row" })];
  th.textContent = name;
  tr.append(th, cell);
  return tr;
}
