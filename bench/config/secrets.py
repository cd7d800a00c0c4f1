"""Secrets by reference (`env:NAME`, `file:PATH`), resolved only when used; and the names that hold secrets.

A `SecretRef` prints, dumps and compares as its reference, so a run folder or an error message cannot leak the value.
`names_secret` is the one list of such names: for the scenario check, the stored manifest and messages of a transport.
Trap: never put what `resolve` returns into a model, a log line or an exception.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from bench.errors import BenchError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEY_SHAPE = re.compile(
    r"(?<![A-Za-z0-9_-])(?:(?:sk|ek|xai|gsk|hf|ghp|github_pat)[-_][\w-]{8,}|AIza[\w-]{16,}|eyJ[\w-]{16,}\.[\w.-]*)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORD = re.compile(
    r"(?:access|account|api|auth|bearer|client|o|private|refresh|security|service|session|shared|subscription|x)*"
    r"(?:key|token|secret|auth|authori[sz]ation|authentication|bearer|jwt|cookie|sig|signature|hmac"
    r"|pass|passw(?:or)?d|passphrase|passcode|otp|sas|assertion|cred|credential)s?"
)
_HARMLESS_KEYS = {"public", "cache", "idempotency"}
_TOKEN_OWNERS = {"access", "api", "auth", "bearer", "refresh", "security", "session"}
_SUFFIXES = {"value", "primary", "secondary", "backup", "prod", "production", "staging", "live", "dev", "test"}

HIDDEN = "***"
"""What is written in place of a secret."""
REFERENCE_HELP = "a reference: env:NAME (an environment variable) or file:PATH (a file that holds only the secret)"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept. `file:` paths are relative to the scenario file."""

    kind: Literal["env", "file"]
    where: str

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """`env:NAME` or `file:PATH`; ValueError, which never repeats `text`, for anything else."""
        kind, _, where = text.partition(":")
        if kind == "env" and _NAME.fullmatch(where):
            return cls("env", where)
        if kind == "file" and where.strip():
            return cls("file", where)
        if kind == "env":
            raise ValueError("the name after env: is not that of an environment variable (letters, digits and _)")
        raise ValueError("a secret must not be written out (not shown)")

    def resolve(self, env: Mapping[str, str], base: Path) -> str:
        """The secret itself, stripped of surrounding white space; BenchError when unset, empty or unreadable."""
        if self.kind == "env":
            value = env.get(self.where, "").strip()
            if not value:
                state = "empty" if self.where in env else "not set"
                raise BenchError(
                    f"{self}: the environment variable {self.where} is {state}",
                    hint=f"export {self.where}=... before the run, or name another secret with env: or file:",
                )
            return value
        path = base / Path(self.where).expanduser()
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a UTF-8 text"
            raise BenchError(f"{self}: cannot read {path}: {reason}", hint=f"allowed: {REFERENCE_HELP}") from error
        if not value:
            raise BenchError(f"{self}: the file {path} is empty", hint="write the secret, and nothing else, into it")
        return value

    def __str__(self) -> str:
        return f"{self.kind}:{self.where}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"}


def looks_like_key(text: str) -> bool:
    """Whether `text` has the shape of a well-known kind of API key; such text is neither accepted nor echoed."""
    return _KEY_SHAPE.search(text) is not None


def without_keys(text: str) -> str:
    """`text` with whatever has the shape of an API key left out: the last guard before a message is shown."""
    return _KEY_SHAPE.sub("(not shown)", text)


def names_secret(name: str) -> bool:
    """Whether a header, parameter, option or variable of this name holds a secret (`X-Api-Key`, `authToken`, `sig`).

    The last word decides: `key_id` and `token_limit` are not secrets. The plural `tokens` is a count, but for those of
    an owner such as `access_tokens`.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    if not words or _SECRET_WORD.fullmatch(words[-1]) is None:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "tokens":
        return before in _TOKEN_OWNERS
    return not (words[-1] in {"key", "keys"} and before in _HARMLESS_KEYS)


def is_reference(text: str) -> bool:
    """Whether `text` is meant as a reference to a secret."""
    return text.startswith(("env:", "file:"))


def secret_option(option: str, reference: str | None) -> str | None:
    """The secret that a command-line option refers to; None without one. Raises `BenchError` naming `option`."""
    if reference is None:
        return None
    try:
        return SecretRef.parse(reference).resolve(os.environ, Path.cwd())
    except ValueError as error:
        raise BenchError(f"{option}: {error}", hint="allowed: env:NAME or file:PATH") from error


def _validate(value: object) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    try:
        if not isinstance(value, str):
            raise ValueError("not a reference to a secret (not shown)")
        return SecretRef.parse(value)
    except ValueError as error:
        raise PydanticCustomError("secret", "{problem}; allowed: {help}", _context(error)) from error


def _context(error: ValueError) -> dict[str, str]:
    return {"problem": str(error), "help": REFERENCE_HELP}
