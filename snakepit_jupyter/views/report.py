"""The static report: a run as one piece of HTML that needs nothing and survives in the saved notebook.

It has no script, no style sheet and no link, because saved notebooks are shown where those are taken out.
Where even inline styles are (GitHub), the order of the text and the tables still tell the story.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape

from snakepit_jupyter.views import look
from snakepit_jupyter.views.compose import scene_of
from snakepit_jupyter.views.numbers import count, duration, left, number, position
from snakepit_jupyter.views.plot import Point, chart_svg, points_of
from snakepit_jupyter.views.scene import Chart, ErrorNote, LogLine, ResultLine, Scene, Tile
from snakepit_jupyter.views.state import ViewState
from snakepit_jupyter.views.wording import short

LOG_TAIL = 20
SHORT_TRACEBACK = 12
LEVELS = re.compile(r"\b(?:(CRITICAL|FATAL|ERROR)|(WARN(?:ING)?))\b")
NOTHING = "background:none;border:0;padding:0;"
"""What undoes the page's own style for tables."""
TABLE = f"{NOTHING}margin:0;font:inherit;color:inherit;border-collapse:collapse"
TABULAR = "font-variant-numeric:tabular-nums"
LABEL = f"color:{look.MUTED};font-size:11px"

Lines = dict[str, list[Point]]


def report_html(state: ViewState) -> str:
    """The run as an HTML fragment."""
    with state.lock:
        scene = scene_of(state)
        body = [*_error(scene.error), *_tiles(scene.tiles), *_charts(state, scene.charts)]
        body += [*_values(state, scene), *_result(scene.result), *_log(list(state.log), scene.log_total)]
    style = f"border:1px solid {look.BORDER};border-radius:6px;overflow:hidden;text-align:left;"
    style += f"background:{look.GROUND};color:{look.TEXT};font:{look.FONT}"
    inner = f'<div style="display:grid;gap:14px;padding:12px 14px">{"".join(body)}</div>' if body else ""
    return (
        f'<div class="snakepit-report" data-run="{escape(scene.run)}" data-status="{escape(scene.status)}"'
        f' style="{style}">{_header(scene)}{_bar(scene)}{inner}{_foot(scene)}</div>'
    )


def report_text(state: ViewState) -> str:
    """The run in one to three lines."""
    scene = scene_of(state)
    lines = [f"{scene.tool}: {scene.summary} ({duration(scene.elapsed)})"]
    if scene.tiles:
        lines.append("  ".join(f"{tile.label} {tile.value}" for tile in scene.tiles))
    if scene.error:
        lines.append(short(f"{scene.error.title}: {scene.error.message}", 200))
    elif scene.result:
        lines.append(short("  ".join(f"{line.label} {line.value}" for line in scene.result), 200))
    return "\n".join(lines)


def _header(scene: Scene) -> str:
    style = "display:flex;flex-wrap:wrap;align-items:center;gap:0 10px;padding:6px 14px;"
    style += "box-sizing:border-box;min-height:44px"
    muted = f"color:{look.MUTED}"
    return (
        f'<div style="{style}">{_icon(scene.status)}'
        f'<strong style="font-weight:600">{escape(scene.tool)}</strong> '
        f'<span style="flex:1;{muted}">{escape(scene.summary)}</span> '
        f'<span style="{muted};{TABULAR};white-space:nowrap">{_time(scene)}</span></div>'
    )


def _icon(status: str) -> str:
    colour = look.STATE.get(status, look.BRAND)
    style = f"fill:none;stroke:{colour};stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round"
    if status not in look.DRAWN:
        style = f"fill:{colour}"
    return (
        f'<svg role="img" viewBox="0 0 10 10" width="10" height="10" style="flex:none;overflow:visible">'
        f'<title>{escape(status)}</title><path d="{look.SHAPES.get(status, "")}" style="{style}"/></svg>'
    )


def _time(scene: Scene) -> str:
    eta = f" · {left(scene.eta)}" if scene.eta is not None else ""
    return f"{duration(scene.elapsed)}{eta}"


def _bar(scene: Scene) -> str:
    colour = look.STATE.get(scene.status, look.BRAND)
    width = f"{100 * (scene.progress or 0.0):.4g}"
    fill = f'<div style="height:2px;width:{width}%;background:{colour}"></div>' if scene.progress else ""
    known = f' role="progressbar" aria-label="progress" aria-valuenow="{width}"' if scene.progress else ""
    return f'<div{known} style="height:2px;background:{look.BORDER}">{fill}</div>'


def _error(error: ErrorNote | None) -> Iterator[str]:
    if error is None:
        return
    head = f'<strong style="color:{look.ERROR_TEXT}">{escape(error.title)}</strong> {escape(error.message)}'
    yield f'<div style="overflow-wrap:anywhere;white-space:pre-wrap">{head}</div>'
    if error.hint:
        yield f'<div style="color:{look.MUTED};margin-top:-8px;white-space:pre-wrap">{escape(error.hint)}</div>'
    if error.traceback:
        is_open = len(error.traceback.splitlines()) <= SHORT_TRACEBACK
        yield _details("Traceback", _pre(escape(error.traceback)), is_open=is_open)


def _tiles(tiles: Iterable[Tile]) -> Iterator[str]:
    cells = "".join(map(_tile, tiles))
    if cells:
        # A table for where styles are taken out; with them a row that wraps.
        row = f'<tr style="{NOTHING}display:flex;flex-wrap:wrap;gap:10px 28px">{cells}</tr>'
        yield f'<table style="{TABLE};display:block"><tbody style="display:block">{row}</tbody></table>'


def _tile(tile: Tile) -> str:
    note = f" · {escape(tile.note)}" if tile.note else ""
    value = "font-size:18px;font-weight:600;line-height:1.4;letter-spacing:-.01em;white-space:nowrap"
    return (
        f'<td style="{NOTHING}min-width:74px;text-align:left;vertical-align:top;'
        f'{TABULAR}"><strong style="{value}">{escape(tile.value)}</strong><br>'
        f'<span style="font-size:11px;color:{look.MUTED}">{escape(tile.label)}{note}</span></td>'
    )


def _charts(state: ViewState, charts: tuple[Chart, ...]) -> Iterator[str]:
    if not charts:
        return
    columns = "minmax(0,1fr)" if len(charts) == 1 else "repeat(auto-fit,minmax(min(100%,max(300px,40%)),1fr))"
    # The last of an odd number has a row of its own.
    wide = [place == len(charts) - 1 and place % 2 == 0 for place in range(len(charts))]
    drawn = (_chart(chart, _lines(state, chart), wide=alone) for chart, alone in zip(charts, wide, strict=True))
    yield f'<div style="display:grid;grid-template-columns:{columns};gap:14px 28px">{"".join(drawn)}</div>'


def _lines(state: ViewState, chart: Chart) -> Lines:
    xs, *columns = state.facts.table.columns((chart.x, *chart.lines))
    return {name: points_of(xs, ys) for name, ys in zip(chart.lines, columns, strict=True)}


def _chart(chart: Chart, lines: Lines, *, wide: bool) -> str:
    style = f"display:flex;gap:12px;margin:0 0 2px;color:{look.MUTED};font-size:11px;line-height:18px"
    keys = " ".join(_key(name, look.SERIES[i % len(look.SERIES)]) for i, name in enumerate(chart.lines))
    across = f'<span style="margin-left:auto">{escape(chart.x)}</span>'
    place = "grid-column:1/-1" if wide else "min-width:0"
    head = f'<div style="{style}">{keys} {across}</div>'
    return f'<div style="{place}">{head}{chart_svg(chart, lines, wide=wide)}</div>'


def _key(name: str, colour: str) -> str:
    dash = f"display:inline-block;width:12px;height:2px;margin-right:5px;vertical-align:3px;background:{colour}"
    return f'<span><span style="{dash}"></span>{escape(name)}</span>'


def _result(result: Iterable[ResultLine]) -> Iterator[str]:
    rows = "".join(map(_result_row, result))
    if rows:
        yield f'<table style="{TABLE};justify-self:start">{rows}</table>'


def _result_row(line: ResultLine) -> str:
    cell = f"{NOTHING}padding:1px 16px 1px 0;text-align:left;vertical-align:baseline"
    value = f"font:{look.MONO};overflow-wrap:anywhere;white-space:pre-wrap;user-select:text"
    return (
        f'<tr style="{NOTHING}">'
        f'<th scope="row" style="{cell};{LABEL};font-weight:400">{escape(line.label)}</th>'
        f'<td style="{cell};{value}">{escape(line.value)}</td></tr>'
    )


def _log(lines: list[LogLine], total: int) -> Iterator[str]:
    earlier, tail = lines[:-LOG_TAIL], lines[-LOG_TAIL:]
    if earlier:
        lost = total - len(lines)
        gone = f" (the first {count(lost)} are not kept)" if lost else ""
        yield _details(f"{count(total - len(tail))} earlier lines{gone}", _pre(_log_text(earlier)))
    if tail:
        yield _pre(_log_text(tail))


def _log_text(lines: Iterable[LogLine]) -> str:
    return "\n".join(map(_log_line, lines))


def _log_line(line: LogLine) -> str:
    text = LEVELS.sub(_level, escape(line.text), count=1)
    return f'<span style="color:{look.WARN_TEXT}">{text}</span>' if line.kind == "stderr" else text


def _level(found: re.Match[str]) -> str:
    colour = look.ERROR_TEXT if found[1] else look.WARN_TEXT
    return f'<b style="color:{colour}">{found[0]}</b>'


def _values(state: ViewState, scene: Scene) -> Iterator[str]:
    names = [name for chart in scene.charts for name in chart.lines]
    if names:
        head = "".join(_cell(text, "th") for text in ("", "last", "best", "lowest", "highest"))
        rows = "".join(_value_row(state, name) for name in names)
        head = f'<tr style="{NOTHING}">{head}</tr>'
        yield _details("Values", f'<table style="{TABLE};margin-top:4px;font-size:11px">{head}{rows}</table>')


def _value_row(state: ViewState, name: str) -> str:
    column, best = state.facts.table[name], state.facts.bests.get(name)
    at = f"{number(best.value)} at {position(best.at)}" if best else ""
    texts = (number(column.last), at, number(column.low), number(column.high))
    return f'<tr style="{NOTHING}">{_cell(name, "th")}{"".join(map(_cell, texts))}</tr>'


def _cell(text: str, tag: str = "td") -> str:
    look_of = f"font-weight:400;color:{look.MUTED}" if tag == "th" else TABULAR
    return f'<{tag} style="{NOTHING}padding:1px 20px 1px 0;text-align:left;{look_of}">{escape(text)}</{tag}>'


def _details(title: str, inner: str, *, is_open: bool = False) -> str:
    style = f"color:{look.MUTED};font-size:11px;cursor:pointer;width:max-content"
    summary = f'<summary style="{style}">{escape(title)}</summary>'
    return f'<details style="margin:0"{" open" if is_open else ""}>{summary}{inner}</details>'


def _pre(inner: str) -> str:
    style = f"margin:0;{NOTHING}color:inherit;font:{look.MONO};white-space:pre-wrap"
    return f'<pre style="{style};overflow-wrap:anywhere;max-height:400px;overflow:auto">{inner}</pre>'


def _foot(scene: Scene) -> str:
    items = " ".join(f"<span>{escape(text)}</span>" for text in scene.foot)
    if not items and not scene.foot_right:
        return ""
    style = f"display:flex;flex-wrap:wrap;gap:2px 16px;padding:6px 14px;border-top:1px solid {look.BORDER};"
    style += f"color:{look.MUTED};font-size:11px;{TABULAR}"
    right = f'<span style="margin-left:auto">{escape(scene.foot_right)}</span>'
    return f'<div style="{style}">{items} {right}</div>'
