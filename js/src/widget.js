import { Frame } from "./frame.js";
import { Link } from "./link.js";
import { Store } from "./store.js";
import { View } from "./view.js";

/** anywidget's entry: one call per place where the run is shown. All state belongs to that place. */
function render({ model, el }) {
  const store = new Store();
  const frame = new Frame(() => view.draw(store, link));
  const link = new Link(model, store, frame.request);
  const view = new View(el, { onStop: () => link.stop(), onChange: frame.request });
  link.open();
  view.draw(store, link);
  return () => {
    link.close();
    frame.cancel();
    view.destroy();
  };
}

export default { render };
