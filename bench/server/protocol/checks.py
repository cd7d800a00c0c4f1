"""Checks of the JSON values that a client sends, and how an update is laid over what is in force.

A check takes a value and the name of its parameter; it returns what is kept, or raises `ProtocolError`.
Trap: null means "not given" everywhere, because SDKs write out the fields that they leave empty. Only where null is a
value of its own (`turn_detection: null` is manual turns) is a check made with `nullable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing, unknown

Json = dict[str, Any]
Check = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Nullable:
    """A check of a parameter that has null among its values: it turns something off."""

    check: Check

    def __call__(self, value: Any, param: str) -> Any:
        return None if value is None else self.check(value, param)


def nullable(check: Check) -> Nullable:
    """`check`, with null kept as a value."""
    return Nullable(check)


@dataclass(frozen=True, slots=True)
class Continued(Nullable):
    """An object whose keys that are not given stay as they are, unless an update names another `afresh` (its type).

    `keeps` are its own keys that have null among their values.
    """

    afresh: str | None = None
    keeps: frozenset[str] = frozenset()

    def over(self, present: Json | None, value: Any, param: str) -> Any:
        """`value` laid over what is in force, then checked."""
        if isinstance(value, dict) and present is not None and value.get(self.afresh) in (None, self._kind(present)):
            value = present | {key: item for key, item in value.items() if item is not None or key in self.keeps}
        return self(value, param)

    def _kind(self, present: Json) -> Any:
        return present.get(self.afresh) if self.afresh is not None else None


def given(owner: Mapping[str, Any]) -> Json:
    """The keys of `owner` that have a value."""
    return {key: value for key, value in owner.items() if value is not None}


def merge(target: Json, update: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
    """Lay `update` over `target` in place: nested objects merge, lists and values replace, null leaves as it is."""
    for key, value in update.items():
        param = f"{path}.{key}"
        rule = schema.get(key)
        if rule is None:
            raise unknown(param)
        if value is None and not isinstance(rule, Nullable):
            continue
        if isinstance(rule, dict):
            if not isinstance(value, dict):
                raise invalid_type(param, "an object", value)
            merge(target[key], value, rule, param)
        elif isinstance(rule, Continued):
            target[key] = rule.over(target[key], value, param)
        else:
            target[key] = rule(value, param)


def typed(kind: type, name: str) -> Check:
    """A value of this Python type; `name` is what an error calls it."""

    def check(value: Any, param: str) -> Any:
        if not isinstance(value, kind):
            raise invalid_type(param, name, value)
        return value

    return check


text, flag = typed(str, "a string"), typed(bool, "a boolean")


def choice(*allowed: str) -> Check:
    """One of these words."""

    def check(value: Any, param: str) -> str:
        if value not in allowed:
            raise invalid_choice(param, value, allowed)
        return str(value)

    return check


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """A number from `low` to `high`."""
    kinds = (int,) if whole else (int, float)

    def check(value: Any, param: str) -> float:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid_type(param, "an integer" if whole else "a number", value)
        if not low <= value <= high:
            bound = "integer below minimum value" if value < low else "integer above maximum value"
            raise ProtocolError(
                f"Invalid '{param}': {bound if whole else bound.replace('integer', 'decimal')}. "
                f"Expected a value from {low:g} to {high:g}, but got {value} instead.",
                code="integer_out_of_range" if whole else "decimal_out_of_range",
                param=param,
            )
        return value

    return check


def fields_of(fields: Mapping[str, Check], *, required: tuple[str, ...] = (), defaults: Json | None = None) -> Check:
    """An object with these fields and no others; `defaults` fill in what is not given."""

    def check(value: Any, param: str) -> Json:
        if not isinstance(value, dict):
            raise invalid_type(param, "an object", value)
        for key in required:
            if value.get(key) is None:
                raise missing(f"{param}.{key}")
        result = dict(defaults or {})
        for key, item in value.items():
            if key not in fields:
                raise unknown(f"{param}.{key}")
            if item is not None or isinstance(fields[key], Nullable):
                result[key] = fields[key](item, f"{param}.{key}")
        return result

    return check


def list_of(check: Check) -> Check:
    """An array whose items all pass `check`."""

    def check_list(value: Any, param: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid_type(param, "an array", value)
        return [check(item, f"{param}[{index}]") for index, item in enumerate(value)]

    return check_list


def anything(value: Any, _param: str) -> Any:
    """Whatever was sent."""
    return value
