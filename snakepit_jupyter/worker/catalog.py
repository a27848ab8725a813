"""The adapters of a worker: loaded by name, their tools listed, one instance for each session."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snakepit_jupyter.errors import InvalidConfig, ToolNotFound, describe
from snakepit_jupyter.messages import ToolInfo
from snakepit_jupyter.worker.adapter import marked_tools
from snakepit_jupyter.worker.arguments import Signature


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: how it is listed, what it accepts, where it is written."""

    info: ToolInfo
    signature: Signature
    adapter: type
    method: str


def _as_it_is(outcome: Any) -> Any:
    return outcome


@dataclass(slots=True)
class Catalog:
    """All tools of a worker, and the adapters' instances.

    Args:
        settle: what is done with what `initialize` and `cleanup` return, which is a coroutine if they are async.

    Attributes:
        tools: by name.
        notices: what the user should know once, for example which tool replaced which.
    """

    settle: Callable[[Any], object] = _as_it_is
    tools: dict[str, Tool] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    _instances: dict[tuple[str, type], Any] = field(default_factory=dict)

    def add(self, path: str, *, builtin: bool) -> None:
        """Load an adapter and list its tools. One of the same name is replaced, and that is said.

        Args:
            path: "package.module:Class".
            builtin: whether it is one of ours.

        Raises:
            InvalidConfig: if the path is none, names nothing, or the class has no tool.
        """
        adapter = load_adapter(path)
        for name, function, mark in marked_tools(adapter):
            signature = Signature(name, function)
            info = replace(
                signature.tool,
                description=mark.description,
                streaming=mark.supports_streaming,
                adapter=path,
                builtin=builtin,
                required_variables=mark.required_variables,
            )
            self._list(Tool(info, signature, adapter, name))

    def _list(self, tool: Tool) -> None:
        name = tool.info.name
        if name in self.tools:
            earlier = self.tools[name].info
            whose = "the built-in one" if earlier.builtin else f"that of {earlier.adapter}"
            self.notices.append(f"the tool {name!r} of {tool.info.adapter} takes the place of {whose}")
        self.tools[name] = tool

    def find(self, name: str) -> Tool:
        """The tool of that name.

        Raises:
            ToolNotFound: if there is none.
        """
        try:
            return self.tools[name]
        except KeyError:
            raise ToolNotFound(f"this worker has no tool {name!r}") from None

    def instance(self, tool: Tool, session_id: str) -> Any:
        """The session's own instance of the tool's adapter."""
        key = (session_id, tool.adapter)
        if key not in self._instances:
            made = tool.adapter()
            self._hook(made, "initialize")
            self._instances[key] = made
        return self._instances[key]

    def _hook(self, instance: Any, name: str) -> None:
        function = getattr(instance, name, None)
        if callable(function):
            self.settle(function())

    def has_session(self, session_id: str) -> bool:
        """Whether a session has instances."""
        return any(owner == session_id for owner, _ in list(self._instances))

    def close_session(self, session_id: str) -> int:
        """Clean up the session's instances; how many there were."""
        keys = [key for key in self._instances if key[0] == session_id]
        for key in keys:
            try:
                self._hook(self._instances.pop(key), "cleanup")
            except BaseException as error:  # the other sessions' adapters must not suffer
                told = describe(error, __package__)
                sys.stderr.write(told.remote_traceback or f"{told.message}\n")
        return len(keys)

    def close(self) -> None:
        """Clean up every instance."""
        for session_id in {session_id for session_id, _ in self._instances}:
            self.close_session(session_id)


def load_catalog(builtin: Sequence[str], adapters: Sequence[str]) -> Catalog:
    """The catalog of our own adapters and of the user's, whose tools win."""
    catalog = Catalog()
    for path in builtin:
        catalog.add(path, builtin=True)
    for path in adapters:
        catalog.add(path, builtin=False)
    return catalog


def load_adapter(path: str) -> type:
    """The class that "package.module:Class" (or "package.module.Class") names.

    Raises:
        InvalidConfig: if there is none, with the traceback if importing it failed.
    """
    module_name, _, class_name = path.replace(":", ".").rpartition(".")
    if not module_name:
        raise InvalidConfig(f"{path!r} names no adapter", hint='Write it as "package.module:Class".')
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise _import_failed(path, module_name, error) from error
    adapter = getattr(module, class_name, None)
    if not inspect.isclass(adapter):
        offered = ", ".join(_adapters_in(vars(module))) or "none"
        raise InvalidConfig(f"the module {module_name} has no class {class_name!r}", hint=f"Its adapters: {offered}.")
    if not any(marked_tools(adapter)):
        raise InvalidConfig(f"{path} has no tool", hint="Put @tool(description=…) before a method.")
    return adapter


def _import_failed(path: str, module_name: str, error: Exception) -> InvalidConfig:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and (module_name == missing or module_name.startswith(f"{missing}.")):
        hint = "It is looked for where the caller looks: in sys.path and the current directory."
    elif missing:
        hint = f"Install what it needs: {missing}."
    else:
        hint = "".join(traceback.format_exception(error))
    return InvalidConfig(f"the adapter {path} cannot be imported: {type(error).__name__}: {error}", hint=hint.strip())


def _adapters_in(names: Mapping[str, Any]) -> Iterator[str]:
    for name, value in names.items():
        if inspect.isclass(value) and any(marked_tools(value)):
            yield name
