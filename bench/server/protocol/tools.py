"""The tools that a session is given: functions of the client, and MCP servers.

An MCP server is named here and never called: it is part of the configuration that the session shows.
Trap: what authorises a caller at an MCP server (`authorization`, `headers`) is taken and never sent back.
"""

from __future__ import annotations

from typing import Any

from bench.server.protocol.checks import (
    Check,
    Json,
    anything,
    choice,
    fields_of,
    flag,
    list_of,
    text,
)
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type

_FUNCTION: dict[str, Check] = {"type": text, "name": text, "description": text, "parameters": anything}
_FILTER = fields_of({"read_only": flag, "tool_names": list_of(text)})
_WHERE = ("server_url", "connector_id", "tunnel_id")
_NOT_SHOWN = {"authorization", "headers"}


def tool(value: Any, param: str) -> Json:
    """A function, or an MCP server."""
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    kind = value.get("type")
    if kind == "function":
        function: Json = _function(value, param)
        return function
    if kind == "mcp":
        return _mcp_server(value, param)
    raise invalid_choice(f"{param}.type", kind, ["function", "mcp"])


def tool_choice(value: Any, param: str) -> Json | str:
    """A word, or the one tool that is to be used."""
    if not isinstance(value, dict):
        word: str = choice("auto", "none", "required")(value, param)
        return word
    if value.get("type") == "mcp":
        fields: dict[str, Check] = {"type": text, "server_label": text, "name": text}
        server: Json = fields_of(fields, required=("server_label",))(value, param)
        return server
    function: Json = fields_of({"type": choice("function"), "name": text}, required=("type", "name"))(value, param)
    return function


def _allowed_tools(value: Any, param: str) -> Any:
    return list_of(text)(value, param) if isinstance(value, list) else _FILTER(value, param)


def _approval(value: Any, param: str) -> Any:
    if isinstance(value, dict):
        return fields_of({"always": _FILTER, "never": _FILTER})(value, param)
    return choice("always", "never")(value, param)


def _header_values(value: Any, param: str) -> Json:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    return {name: text(item, f"{param}.{name}") for name, item in value.items()}


_MCP: dict[str, Check] = {
    "type": text,
    "server_label": text,
    "server_url": text,
    "connector_id": text,
    "tunnel_id": text,
    "server_description": text,
    "authorization": text,
    "headers": _header_values,
    "allowed_tools": _allowed_tools,
    "allowed_callers": list_of(choice("direct", "programmatic")),
    "require_approval": _approval,
    "defer_loading": flag,
}
_function = fields_of(_FUNCTION, required=("name",))
_server = fields_of(_MCP, required=("server_label",))


def _mcp_server(value: Json, param: str) -> Json:
    if not any(value.get(key) for key in _WHERE):
        message = f"Invalid '{param}': one of 'server_url', 'connector_id' or 'tunnel_id' must be provided."
        raise ProtocolError(message, code="missing_required_parameter", param=f"{param}.server_url")
    checked = _server(value, param)
    return {key: item for key, item in checked.items() if key not in _NOT_SHOWN}
