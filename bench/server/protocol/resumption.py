"""Conversations that a later session can go on with, by the handle that the server gave for them.

In: a session's conversation, under a handle. Out: the same, when another session names the handle. Trap: they are kept
by one process, so that a server of several forgets what another of them was told; the oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict

from bench.server.protocol.items import Conversation

MOST_KEPT = 10_000


class KeptConversations:
    """What the sessions of one process can go on with."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Conversation] = OrderedDict()

    def keep(self, handle: str, conversation: Conversation) -> None:
        """From now on `handle` names this conversation, as it grows."""
        self._kept[handle] = conversation
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def keeps(self, handle: str) -> bool:
        """Whether `handle` names a conversation."""
        return handle in self._kept

    def find(self, handle: object) -> Conversation | None:
        """The conversation of `handle`; None for one that is not known, or no longer."""
        return self._kept.get(handle) if isinstance(handle, str) else None
