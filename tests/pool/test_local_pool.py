import asyncio
import secrets
from pathlib import Path

import pytest
from tools_for_tests import ALL
from waiting import run_async

from snakepit_jupyter.client.embedded import search_path
from snakepit_jupyter.config import Config
from snakepit_jupyter.messages import Call
from snakepit_jupyter.pool.local import LocalPool
from snakepit_jupyter.pool.process import WorkerStartError

MENDED = """
from snakepit_jupyter import BaseAdapter, tool

class Mine(BaseAdapter):
    @tool(description="Mine")
    def mine(self): ...
"""


@pytest.mark.parametrize("its_turn_has_come", [False, True])
def test_a_call_given_up_in_the_moment_of_its_turn_does_not_keep_the_worker(
    directory: Path, *, its_turn_has_come: bool
) -> None:
    async def scene() -> None:
        config = Config(pool_size=1, adapters=tuple(ALL), sys_path=search_path())
        pool = LocalPool(config, directory, secrets.token_hex(8))
        pool.open()

        async def use(tool: str) -> str:
            async with pool.worker(Call(tool)) as worker:
                return worker.worker_id

        try:
            async with pool.worker(Call("first")):
                second = asyncio.create_task(use("second"))
                third = asyncio.create_task(use("third"))
                while pool.queued < 2:  # noqa: ASYNC110 - the tasks' turns, not a time
                    await asyncio.sleep(0)
                if not its_turn_has_come:
                    second.cancel()
            second.cancel()  # it has not run since the worker was given back
            assert await asyncio.wait_for(third, 5) == "w1"
            assert second.cancelled()
            assert [worker.status for worker in pool.workers()] == ["ready"]
        finally:
            await pool.aclose()

    run_async(scene())


def test_a_pool_whose_workers_could_not_start_tries_again_when_it_is_asked(directory: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        config = Config(pool_size=1, adapters=("mended_later:Mine",), sys_path=(str(tmp_path),))
        pool = LocalPool(config, directory, secrets.token_hex(8))
        pool.open()
        try:
            with pytest.raises(WorkerStartError, match="mended_later"):
                await pool.usable()
            (tmp_path / "mended_later.py").write_text(MENDED)
            await pool.usable()
            assert "mine" in pool.tools
        finally:
            await pool.aclose()

    run_async(scene())
