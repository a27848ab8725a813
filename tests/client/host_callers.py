"""Tools that call functions of the notebook."""

from collections.abc import Iterator
from typing import Any

from snakepit_jupyter import BaseAdapter, ToolError, tool


class HostCallers(BaseAdapter):
    @tool(description="Call a host tool")
    def ask(self, name: str, given: dict[str, Any]) -> Any:
        return self.session_context.call_host_tool(name, **given)

    @tool(description="The same as upstream writes it")
    def ask_as_upstream(self, name: str, given: dict[str, Any]) -> Any:
        return self.session_context.call_elixir_tool(name, **given)

    @tool(description="The same, awaited")
    async def ask_async(self, name: str, given: dict[str, Any]) -> Any:
        return await self.session_context.acall_host_tool(name, **given)

    @tool(description="Call one and go on if it raises")
    def ask_or_catch(self, name: str, given: dict[str, Any]) -> str:
        try:
            self.session_context.call_host_tool(name, **given)
        except ToolError as error:
            return f"caught {error.remote_type}"
        return "nothing was raised"

    @tool(description="Call one and give back all that is said of its failure")
    def ask_and_tell(self, name: str) -> list[str]:
        try:
            self.session_context.call_host_tool(name)
        except ToolError as error:
            return [error.message, error.remote_traceback]
        return []

    @tool(description="Ask before each step", supports_streaming=True)
    def ask_each_step(self, steps: int) -> Iterator[dict[str, Any]]:
        for step in range(1, steps + 1):
            if step > 1 and self.session_context.call_host_tool("decide", step=step - 1) == "stop":
                return
            yield {"step": step}
        self.session_context.call_host_tool("decide", step=steps)

    @tool(description="Ask once", supports_streaming=True)
    def ask_once(self, name: str) -> Iterator[dict[str, Any]]:
        self.session_context.call_host_tool(name)
        yield {"asked": name, "is_final": True}

    @tool(description="The host tools there are")
    def host_tools(self) -> dict[str, str]:
        return {name: said.description for name, said in self.session_context.host_tools.items()}
