"""A run on the screen of a plain Python process; notebooks have their own tests."""

import pytest
from waiting import run_async

from snakepit_jupyter import Client, RunStopped, ToolError


def test_a_shown_run_ends_with_its_last_state_on_the_screen(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.execute_stream("count", {"count": 3}).show().result()
    assert "count: done" in capsys.readouterr().err


def test_a_shown_run_that_is_awaited_does_so_too(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    async def wait() -> None:
        await client.execute_stream("count", {"count": 3}).show()

    run_async(wait())
    assert "count: done" in capsys.readouterr().err


def test_a_run_that_failed_says_why(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    run = client.execute_stream("raise_midway").show()
    with pytest.raises(ToolError):
        run.result()
    assert "failed" in capsys.readouterr().err


def test_a_run_that_has_ended_shows_its_report(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    run = client.execute_stream("count", {"count": 3})
    run.result()
    run.show()
    assert "count: done" in capsys.readouterr().err


def test_a_run_that_is_only_looked_at_is_not_held_back(client: Client) -> None:
    run = client.execute_stream("count", {"count": 400, "size": 64 * 1024}).show()
    run.result()
    assert run.status == "done"


def test_the_newest_run_is_found_again(client: Client) -> None:
    run = client.execute_stream("count", {"count": 2})
    run.result()
    again = client.find_run()
    assert again.run_id == run.run_id
    assert [chunk["number"] for chunk in again] == [1, 2]


def test_a_run_that_was_stopped_says_so(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    run = client.execute_stream("count", {"count": 10**9}).show()
    run.cancel()
    with pytest.raises(RunStopped):
        run.result()
    assert "stopped" in capsys.readouterr().err
