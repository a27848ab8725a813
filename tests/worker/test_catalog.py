import sys
from pathlib import Path
from typing import Any

import pytest

from snakepit_jupyter.errors import InvalidConfig, ToolNotFound
from snakepit_jupyter.worker.adapter import BaseAdapter, tool
from snakepit_jupyter.worker.catalog import Catalog, load_adapter, load_catalog

BUILTIN = ["snakepit_jupyter.adapters.demo:DemoAdapter"]


class NoName(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in {"__name__", "__qualname__", "__module__"}:
            raise SystemExit(9)
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=NoName):
    """One that nothing can be told of."""


class Counter(BaseAdapter):
    log: list[str] = []  # noqa: RUF012 - shared on purpose

    def __init__(self) -> None:
        self.number = 0

    def initialize(self) -> None:
        self.log.append("initialized")

    def cleanup(self) -> None:
        self.log.append(f"cleaned at {self.number}")
        if self.number == 13:
            raise RuntimeError("bad luck")
        if self.number == 14:
            sys.exit("worse luck")
        if self.number == 15:
            raise Nameless

    @tool(description="Count on")
    def count_on(self) -> int:
        self.number += 1
        return self.number


class Special(Counter):
    """Inherits its tool."""


@pytest.fixture
def catalog() -> Catalog:
    Counter.log.clear()
    return load_catalog([], [f"{__name__}:Counter"])


def count_on(catalog: Catalog, session_id: str) -> Any:
    return catalog.instance(catalog.find("count_on"), session_id).count_on()


# Loading.


@pytest.mark.parametrize("path", [f"{__name__}:Counter", f"{__name__}.Counter"])
def test_an_adapter_is_loaded_by_its_path(path: str) -> None:
    assert load_adapter(path).__name__ == "Counter"


def test_inherited_tools_count() -> None:
    assert list(load_catalog([], [f"{__name__}:Special"]).tools) == ["count_on"]


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("Counter", "'Counter' names no adapter", 'Write it as "package.module:Class"'),
        ("no.such.module:A", "ModuleNotFoundError: No module named 'no'", "in sys.path and the current directory"),
        (f"{__name__}:Missing", "has no class 'Missing'", "Its adapters: Counter, Special."),
        (f"{__name__}:BUILTIN", "has no class 'BUILTIN'", "Its adapters: "),
        ("json:JSONDecoder", "json:JSONDecoder has no tool", "Put @tool(description=…) before a method."),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(path: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load_adapter(path)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("import not_installed_here", "No module named 'not_installed_here'", "Install what it needs: not_installed"),
        ("1 / 0", "ZeroDivisionError: division by zero", "line 1, in <module>"),
        ("def", "SyntaxError: invalid syntax", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_shown_with_the_cause(
    text: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "faulty_adapter.py").write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load_adapter("faulty_adapter:Mine")
    assert "the adapter faulty_adapter:Mine cannot be imported" in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_users_tool_wins_and_that_is_said() -> None:
    catalog = load_catalog(BUILTIN, ["tools_for_tests:OwnPing"])
    assert catalog.find("ping").info.adapter == "tools_for_tests:OwnPing"
    assert not catalog.find("ping").info.builtin
    assert catalog.notices == ["the tool 'ping' of tools_for_tests:OwnPing takes the place of the built-in one"]


def test_a_tool_that_is_not_there_is_not_found(catalog: Catalog) -> None:
    with pytest.raises(ToolNotFound, match="this worker has no tool 'nothing'"):
        catalog.find("nothing")


# Instances.


def test_a_session_has_an_instance_of_its_own(catalog: Catalog) -> None:
    assert [count_on(catalog, session) for session in ("a", "a", "b", "", "a")] == [1, 2, 1, 1, 3]
    assert Counter.log == ["initialized"] * 3


def test_a_session_that_ends_is_cleaned_up_once(catalog: Catalog) -> None:
    count_on(catalog, "a")
    assert catalog.close_session("a") == 1
    assert catalog.close_session("a") == 0
    assert Counter.log == ["initialized", "cleaned at 1"]
    assert count_on(catalog, "a") == 1


def test_at_the_end_every_instance_is_cleaned_up_even_if_one_raises(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(13):
        count_on(catalog, "unlucky")
    count_on(catalog, "other")
    catalog.close()
    assert sorted(Counter.log[2:]) == ["cleaned at 1", "cleaned at 13"]
    assert "RuntimeError: bad luck" in capsys.readouterr().err


def test_a_cleanup_whose_exception_cannot_be_told_is_told_by_its_name(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.instance(catalog.find("count_on"), "a").number = 15
    catalog.instance(catalog.find("count_on"), "b").number = 15
    catalog.close()
    assert capsys.readouterr().err == "Nameless\nNameless\n"


def test_a_cleanup_that_wants_to_leave_the_process_is_kept_from_it(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(14):
        count_on(catalog, "unlucky")
    assert catalog.close_session("unlucky") == 1
    assert "SystemExit: worse luck" in capsys.readouterr().err


def test_an_adapter_that_could_not_be_initialized_is_made_anew_for_the_next_call(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Counter, "initialize", lambda _self: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                count_on(catalog, "a")
    assert not catalog.has_session("a")
    assert count_on(catalog, "a") == 1


def test_what_the_hooks_return_is_settled_before_the_tool_is_called(catalog: Catalog) -> None:
    settled: list[Any] = []
    catalog.settle = settled.append
    count_on(catalog, "a")
    assert settled == [None]
    catalog.close()
    assert settled == [None, None]


def test_an_adapter_needs_no_base_class() -> None:
    class Bare:
        @tool
        def greet(self) -> str:
            """Greet somebody.

            At length.
            """
            return "hello"

    catalog = Catalog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "Bare", Bare)
        catalog.add(f"{__name__}:Bare", builtin=False)
    assert catalog.find("greet").info.description == "Greet somebody."
    assert catalog.instance(catalog.find("greet"), "").greet() == "hello"
    assert catalog.close_session("") == 1
