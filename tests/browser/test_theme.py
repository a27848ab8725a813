"""The view in a dark JupyterLab."""

from .conftest import OpenNotebook
from .page import NotebookPage

READABLE = 4.5
"""The contrast that WCAG 2 asks for (level AA)."""

# Colours as the browser paints them: whatever the notation, a canvas gives back bytes.
COLOURS = """run => {
  const bytes = colour => {
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const isClear = node => bytes(getComputedStyle(node).backgroundColor)[3] < 255;
  let ground = run;
  while (ground.parentElement && isClear(ground)) ground = ground.parentElement;
  return ['.snakepit-tool', '.snakepit-summary', '.snakepit-foot'].map(name => [
    bytes(getComputedStyle(run.querySelector(name)).color),
    bytes(getComputedStyle(ground).backgroundColor),
  ]);
}"""

Colour = list[int]


def luminance(colour: Colour) -> float:
    """The relative luminance of an sRGB colour, 0 to 1, as WCAG 2 defines it."""
    shares = [byte / 255 for byte in colour[:3]]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(notebook: NotebookPage) -> list[tuple[Colour, Colour]]:
    """Text and ground of the view's header and foot."""
    return [(text, ground) for text, ground in notebook.widget(1).evaluate(COLOURS)]


def test_the_view_follows_the_theme_and_stays_readable(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave --bg")
    notebook.finish(1)
    notebook.wait_for_points(1)
    light = colours(notebook)
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.page.wait_for_selector('.snakepit-run[data-theme="dark"]')
    dark = colours(notebook)
    for (light_text, light_ground), (dark_text, dark_ground) in zip(light, dark, strict=True):
        assert luminance(light_text) < luminance(dark_text)
        assert luminance(light_ground) > luminance(dark_ground)
        assert contrast(light_text, light_ground) >= READABLE
        assert contrast(dark_text, dark_ground) >= READABLE
