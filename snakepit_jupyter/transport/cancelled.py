"""What a CancelledError means: gRPC raises it in who waits for an RPC that was cancelled or has lost its channel."""

import asyncio


def task_is_cancelled() -> bool:
    """Whether it is the task that waits which is cancelled, and not the RPC it waits for."""
    task = asyncio.current_task()
    return bool(task and task.cancelling())
