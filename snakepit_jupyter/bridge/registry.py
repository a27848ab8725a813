"""Tools that peers have registered in a session, by Snakepit's RegisterTools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snakepit_jupyter.errors import InvalidParameter, ProgramQuotaExceeded
from snakepit_jupyter.messages import TOOL_NAME, TOOL_NAME_RULE, ToolInfo

# Section 6 of the wire contract.
MOST_METADATA = 32
LARGEST_METADATA = 4096
# Of a name that is none, so many letters are shown.
SHOWN = 64


@dataclass(frozen=True, slots=True)
class Registered:
    """A tool as a peer registered it.

    Args:
        info: its name, description and parameters; whether it streams.
        metadata: what the peer said of it besides.
        worker_id: the worker that has it.
    """

    info: ToolInfo
    metadata: Mapping[str, str]
    worker_id: str


@dataclass(slots=True)
class Registry:
    """Registered tools by session and name.

    Args:
        limit: how many a session may have.
    """

    limit: int
    _tools: dict[str, dict[str, Registered]] = field(default_factory=dict)

    def register(self, session_id: str, tools: Sequence[Registered]) -> None:
        """Add tools to a session: all of them or, if one is wrong, none.

        Raises:
            InvalidParameter: if a name or its metadata is not as the contract wants it, or the name is taken;
                the message then begins with "duplicate_tool".
            ProgramQuotaExceeded: if the session would have too many.
        """
        known = self._tools.get(session_id, {})
        added: dict[str, Registered] = {}
        for tool in tools:
            _check(tool)
            if tool.info.name in known or tool.info.name in added:
                raise InvalidParameter(
                    f"duplicate_tool: {tool.info.name} is registered in this session already",
                    hint="Choose another name, or close the session first.",
                    details={"key": tool.info.name},
                )
            added[tool.info.name] = tool
        if len(known) + len(added) > self.limit:
            raise ProgramQuotaExceeded(
                f"the session {session_id} would have more than {self.limit:,} registered tools",
                details={"session_id": session_id, "limit": str(self.limit)},
            )
        self._tools[session_id] = {**known, **added}

    def find(self, session_id: str, name: str) -> Registered | None:
        """The tool of that name, if it is registered in that session."""
        return self._tools.get(session_id, {}).get(name)

    def count(self, session_id: str) -> int:
        """How many tools a session has registered."""
        return len(self._tools.get(session_id, {}))

    def forget(self, session_id: str) -> None:
        """A session has ended: its tools go with it."""
        self._tools.pop(session_id, None)


def _check(tool: Registered) -> None:
    name = tool.info.name
    if not TOOL_NAME.fullmatch(name):
        raise InvalidParameter(
            f"invalid_tool_name: {name[:SHOWN]!r} is no name of a tool",
            hint=TOOL_NAME_RULE,
            details={"key": "name"},
        )
    size = sum(len(key.encode()) + len(value.encode()) for key, value in tool.metadata.items())
    if len(tool.metadata) > MOST_METADATA or size > LARGEST_METADATA:
        raise InvalidParameter(
            f"invalid_metadata: the metadata of {name} has {len(tool.metadata)} entries and {size:,} bytes",
            hint=f"At most {MOST_METADATA} entries and {LARGEST_METADATA:,} bytes are allowed.",
            details={"key": name},
        )
