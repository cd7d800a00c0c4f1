"""What the caller did in a call beside its turns.

In: the session, as it plays the steps. Out: facts that a `Timeline` keeps, so that measures can be made from them again
later. Times are monotonic ns. Trap: an act is not a turn. What the server sends because of one belongs to the call.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Listening:
    """A span in which the caller waited for the agent to speak first, or of its own accord."""

    step: int
    since_ns: int
    greeting: bool
    """No turn had begun: what is waited for is the agent's greeting."""
    asked_ns: int | None = None
    """When we asked for a response; None where the agent is to speak unasked."""
    response: int | None = None
    """Number of the response that was listened to; None when none came."""
    until_ns: int | None = None
