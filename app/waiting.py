"""Routes that are built when first needed: a process is ready before it has looked at what all of them take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path


class WaitingRoute(APIRoute):
    """A route that knows where it is, and is built at the first question beyond that: some milliseconds of work.

    What its handler asks for, and the shapes that it names, are the framework's to look at then.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **told: Any) -> None:
        self.path, self.endpoint = path, endpoint
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.methods = {str(method).upper() for method in told["methods"]}
        self.include_in_schema = told["include_in_schema"]
        self._told: dict[str, Any] | None = told

    def __getattr__(self, name: str) -> Any:
        """What only a route that is built has."""
        told = self.__dict__.get("_told")
        if told is None or name.startswith("__"):
            raise AttributeError(name)
        self.build()
        return getattr(self, name)

    def build(self) -> None:
        """Build it, unless it is built."""
        told, self._told = self._told, None
        if told is not None:
            super().__init__(self.path, self.endpoint, **told)
