import assert from "node:assert/strict";
import { test } from "node:test";
import { themeOf } from "../src/theme.js";

// A body as far as the theme looks at it; `matches` gets class selectors only.
const body = (classes, jpThemeLight) => ({
  dataset: { jpThemeLight },
  classList: classes,
  matches: (selector) => selector.split(", ").some((one) => {
    const [, wanted, unwanted] = /^\.([\w-]+)(?::not\(\.([\w-]+)\))?$/.exec(one);
    return classes.includes(wanted) && !classes.includes(unwanted);
  }),
});

test("JupyterLab says what it is, whatever the system likes", () => {
  assert.deepEqual(themeOf(body([], "true"), true), { host: "jupyter", dark: false });
  assert.deepEqual(themeOf(body([], "false"), false), { host: "jupyter", dark: true });
});

test("VS Code says it with a class", () => {
  assert.deepEqual(themeOf(body(["vscode-dark"]), false), { host: "vscode", dark: true });
  assert.deepEqual(themeOf(body(["vscode-light"]), true), { host: "vscode", dark: false });
  assert.equal(themeOf(body(["vscode-high-contrast", "vscode-high-contrast-light"]), true).dark, false);
});

test("elsewhere the system decides", () => {
  assert.deepEqual(themeOf(body([]), true), { host: "page", dark: true });
});
