import widget from "../../snakepit_jupyter/views/static/widget.js";
import { FakeModel } from "./model.js";
import { shows, snapshots } from "./scenes.js";

const asked = new URLSearchParams(location.search);
const dark = asked.has("dark");
const host = asked.get("host") ?? "jupyter";

if (host === "jupyter") document.body.dataset.jpThemeLight = String(!dark);
if (host === "vscode") document.body.className = dark ? "vscode-dark" : "vscode-light";
if (asked.has("w")) document.body.style.width = `${asked.get("w") - 48}px`;

// For a look from the console or from Playwright: window.views.training.model.sent, .end()
window.views = {};
for (const name of (asked.get("show") ?? "training,progress,log,failed,stopped").split(",")) {
  const el = document.createElement("div");
  document.body.append(el);
  const model = new FakeModel(shows[name], snapshots[name]);
  window.views[name] = { model, el, end: widget.render({ model, el }) };
}
