"""The colours and shapes of the static report.

They come from the page's own variables, so that one report suits a light and a dark theme. VS Code's stand
first, because it sets JupyterLab's besides, and always to light ones. Where neither are known the text's
own colour is taken. Texts keep a contrast of 4.5 to 1: the raw warning and error colours do not everywhere,
so they are mixed with the text's colour, which is the one that is far from the ground in every theme.
"""

STRONGEST = "var(--vscode-editor-foreground,var(--jp-ui-font-color0,currentColor))"
TEXT = "var(--vscode-editor-foreground,var(--jp-ui-font-color1,inherit))"
MUTED = "var(--vscode-descriptionForeground,var(--jp-ui-font-color2,currentColor))"
BORDER = "var(--vscode-panel-border,var(--jp-border-color2,rgba(128,128,128,.35)))"
GRID = "rgba(128,128,128,.28)"
GROUND = "var(--vscode-notebook-cellEditorBackground,var(--jp-layout-color1,transparent))"
BRAND = "var(--vscode-charts-blue,var(--jp-brand-color1,#1e88e5))"
OK = "var(--vscode-charts-green,var(--jp-success-color1,#43a047))"
ERROR = "var(--vscode-errorForeground,var(--jp-error-color1,#e53935))"
WARN = "var(--vscode-charts-orange,var(--jp-warn-color1,#f57c00))"
ERROR_TEXT = f"color-mix(in srgb,{ERROR} 80%,{STRONGEST})"
WARN_TEXT = f"color-mix(in srgb,{WARN} 55%,{STRONGEST})"
SERIES = (BRAND, "#dd7416", "#23887a", "#9a6bd0", "#d0507f", "#7f8f22")

FONT = "13px/1.45 var(--vscode-font-family,var(--jp-ui-font-family,system-ui,sans-serif))"
MONO = "12px/1.5 var(--vscode-editor-font-family,var(--jp-code-font-family,ui-monospace,monospace))"

STATE = {"done": OK, "failed": ERROR, "stopping": WARN, "queued": MUTED, "stopped": MUTED}
"""The colour of each status; of those left out, the brand's."""

SHAPES = {
    "queued": "M5 1.5a3.5 3.5 0 1 0 .01 0",
    "running": "M5 1a4 4 0 1 0 .01 0",
    "stopping": "M5 1a4 4 0 1 0 .01 0",
    "done": "M1.5 5.4 4 8 8.6 2.4",
    "failed": "M2 2 8 8M8 2 2 8",
    "stopped": "M2 2h6v6H2z",
}
"""The mark of each status in a box of 10 by 10, the same as the widget's."""
DRAWN = {"queued", "done", "failed"}
"""Those that are a stroke and not an area."""
