"""How a cell that starts with the streaming magic is rewritten, from what IPython itself makes of it."""

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from snakepit_jupyter.magics import await_streams


def as_ipython_makes_it(cell: str) -> list[str]:
    text: str = TransformerManager().transform_cell(cell)  # type: ignore[no-untyped-call]
    return text.splitlines(keepends=True)


def rewritten(cell: str) -> str:
    return "".join(await_streams(as_ipython_makes_it(cell)))


def untouched(cell: str) -> bool:
    return await_streams(as_ipython_makes_it(cell)) == as_ipython_makes_it(cell)


def test_a_cell_of_the_magic_is_awaited() -> None:
    assert rewritten("%%snakepit_stream tool -o x\na = 1\n") == (
        "await get_ipython().run_cell_magic('snakepit_stream', 'tool -o x', 'a = 1\\n')\n"
    )


@pytest.mark.parametrize("body", ["", "\n", "\n   \n"])
def test_a_cell_without_body_becomes_the_line_magic(body: str) -> None:
    assert rewritten(f"%%snakepit_stream tool{body}") == (
        "await get_ipython().run_line_magic('snakepit_stream', 'tool')\n"
    )


@pytest.mark.parametrize("before", ["\n\n", "   \n"])
def test_blank_lines_before_it_do_not_matter(before: str) -> None:
    assert rewritten(f"{before}%%snakepit_stream tool\na = 1").startswith("await get_ipython().run_cell_magic(")


def test_the_line_magic_is_awaited_and_what_follows_stays() -> None:
    assert rewritten("%snakepit_stream tool\nprint(1)\nx = '''\n'''\n") == (
        "await get_ipython().run_line_magic('snakepit_stream', 'tool')\nprint(1)\nx = '''\n'''\n"
    )


def test_after_comments_the_line_magic_is_awaited_too() -> None:
    text = rewritten("# my first run\n\n%snakepit_stream tool\nprint(1)\n")
    assert "await get_ipython().run_line_magic('snakepit_stream', 'tool')\nprint(1)\n" in text


def test_quotes_and_braces_in_the_body_survive() -> None:
    body = "a = \"it's\"\nb = '''x\\n{y}'''\nc = {'ä': 1}\n"
    call = rewritten(f"%%snakepit_stream tool\n{body}")
    assert repr(body) in call


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "a = 1",
        "%%time\npass",
        "%snakepit status",
        "%%snakepit_streams tool",
        "x = 1\n%snakepit_stream tool",
        "x = %snakepit_stream tool",
        "'%%snakepit_stream'",
        "print('snakepit_stream')",
        "get_ipython().run_cell_magic('time', '', 'snakepit_stream')",
        "%%writefile x\n%%snakepit_stream tool",
        "def (: # snakepit_stream",
        "# %%snakepit_stream tool",
        "?snakepit_stream",
        "%%snakepit_stream?",
    ],
)
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert untouched(cell)


def test_doing_it_twice_changes_nothing_more() -> None:
    once = rewritten("%%snakepit_stream tool\na = 1")
    assert "".join(await_streams(once.splitlines(keepends=True))) == once
