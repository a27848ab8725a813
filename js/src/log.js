import { element, setAttribute } from "./dom.js";
import { count } from "./format.js";

const AT_END_PX = 8;
const LEVELS = /\b(?:(CRITICAL|FATAL|ERROR)|(WARN(?:ING)?))\b/;

/** The last lines of the run's output. Lines never change once written, so only new ones are made. */
export class LogLines {
  el = element("div", "log", { role: "log", "aria-live": "off", tabindex: 0 });
  #run = null;
  #last = -1;

  draw({ run, tool }, lines) {
    this.el.hidden = lines.length === 0;
    setAttribute(this.el, "aria-label", `output of ${tool}`);
    if (run !== this.#run || !this.#continues(lines)) this.#clear(run);
    const fresh = lines.filter((line) => line.number > this.#last);
    if (fresh.length) this.#append(fresh, lines[0].number);
  }

  #continues(lines) {
    return lines.length > 0 && lines[lines.length - 1].number >= this.#last;
  }

  #clear(run) {
    this.el.replaceChildren();
    this.#run = run;
    this.#last = -1;
  }

  #append(fresh, first) {
    const { scrollTop, clientHeight, scrollHeight } = this.el;
    const atEnd = scrollTop + clientHeight >= scrollHeight - AT_END_PX;
    this.el.append(...fresh.map((line) => this.#line(line)));
    while (Number(this.el.firstElementChild.dataset.number) < first) this.el.firstElementChild.remove();
    // Who scrolled up to read something shall be left in peace.
    if (atEnd) this.el.scrollTop = this.el.scrollHeight;
  }

  #line({ number, kind, text }) {
    const skipped = this.#last >= 0 ? number - this.#last - 1 : 0;
    this.#last = number;
    const node = element("div", "line", { "data-kind": kind, "data-number": number });
    if (skipped) setAttribute(node, "data-skipped", `${count(skipped)} lines left out`);
    node.append(...parts(text));
    return node;
  }
}

// The first level word of a line stands out; the rest stays plain text.
function parts(text) {
  const found = LEVELS.exec(text);
  if (!found) return [text];
  const word = element("b", found[1] ? "level-error" : "level-warn");
  word.textContent = found[0];
  return [text.slice(0, found.index), word, text.slice(found.index + found[0].length)];
}
