const SERIES = 6;
const darkMedia = "(prefers-color-scheme: dark)";

/** Where the widget lives and whether it is dark there; the system is asked only if the host says nothing. */
export function themeOf(body, systemIsDark) {
  const light = body.dataset.jpThemeLight;
  if (light) return { host: "jupyter", dark: light === "false" };
  const code = [...body.classList].find((name) => name.startsWith("vscode-"));
  if (code) return { host: "vscode", dark: body.matches(".vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)") };
  return { host: "page", dark: systemIsDark };
}

/** Write the theme to `root` now and after each change; `onChange` then reads colours. Returns how to end it. */
export function followTheme(root, onChange) {
  const media = matchMedia(darkMedia);
  const apply = () => {
    const { host, dark } = themeOf(document.body, media.matches);
    root.dataset.host = host;
    root.dataset.theme = dark ? "dark" : "light";
    onChange();
  };
  const observer = new MutationObserver(apply);
  observer.observe(document.body, { attributes: true });
  media.addEventListener("change", apply);
  apply();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", apply);
  };
}

/** The style sheet's colours, for canvases, which cannot read variables; null while `root` has no place on a page. */
export function coloursOf(root) {
  const style = getComputedStyle(root);
  if (!style.getPropertyValue("--snakepit-muted")) return null;
  const read = (name) => style.getPropertyValue(`--snakepit-${name}`).trim();
  return {
    series: Array.from({ length: SERIES }, (_, i) => read(`series-${i + 1}`)),
    text: read("muted"),
    grid: read("grid"),
    font: `11px ${style.fontFamily}`,
  };
}

/** The style sheet's name for the colour of a chart's n-th line. */
export function seriesVariable(n) {
  return `var(--snakepit-series-${(n % SERIES) + 1})`;
}
