"""xAI's Grok Voice on the wire: the GA shape, with a conversation of its own, and keys of the session at its top level.

Rates of PCM are the caller's choice, usage stands beside a response, and the caller's words come as the whole text so
far. Trap: it is as true as what is known of the vendor's server: clients of it, their types and documentation. Audio in
binary frames is refused, and of the vendor's own tools (searches) none is ever called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.server.protocol import config
from bench.server.protocol.client_errors import invalid_choice
from bench.server.protocol.commands import Event
from bench.server.protocol.shapes.shape import Shape

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_LIFTED = {"turn_detection": ("input", "turn_detection"), "voice": ("output", "voice")}
_NOT_PLAYED = frozenset({"reasoning", "resumption", "replace", "id", "object"})
"""Keys of a session that change nothing here."""
_WORDS = {"language_hint": "language", "keyterms": "keywords"}
"""Keys of a transcription, and what the session inside calls them."""
_NOT_SENT = frozenset({"conversation.item.done", "rate_limits.updated"})
"""The vendor's clients do not know them."""
_VOICE = "eve"
_PIECE = "conversation.item.input_audio_transcription.delta"


class XaiShape(Shape):
    """One connection."""

    name = "xai"

    def __init__(self) -> None:
        self._rate_out_hz = 24_000
        self._heard: dict[str, str] = {}
        """Words of the caller so far, by item."""

    def settings(self, default: config.Json) -> config.Json:
        if default["type"] == config.REALTIME:
            default["audio"]["output"]["voice"] = {"id": _VOICE}
        return default

    def settled(self, settings: config.Json) -> config.Json:
        spoken = settings["audio"].get("output", {}).get("format")
        if spoken is not None and spoken["type"] == "audio/pcm":
            settings["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": self._rate_out_hz}
        return settings

    # client -> session

    def incoming(self, message: object) -> Iterable[object]:
        if not isinstance(message, dict):
            return (message,)
        if isinstance(session := message.get("session"), dict):
            return ({**message, "session": self._session(session)},)
        if message.get("type") == "response.create" and isinstance(asked := message.get("response"), dict):
            own = {key: value for key, value in asked.items() if key != "modalities"}
            if isinstance(wanted := asked.get("modalities"), list):
                own["output_modalities"] = ["audio"] if "audio" in wanted else ["text"]
            return ({**message, "response": own},)
        return (message,)

    def _session(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        out = {key: value for key, value in asked.items() if key not in _LIFTED and key not in _NOT_PLAYED}
        if isinstance(tools := out.get("tools"), list):
            out["tools"] = [each for each in tools if not _is_the_vendors(each)]
        audio = dict(out["audio"]) if isinstance(out.get("audio"), dict) else {}
        for side in ("input", "output"):
            if isinstance(audio.get(side), dict):
                audio[side] = self._side(side, audio[side])
        for key, (side, inner) in _LIFTED.items():
            if key in asked:
                known = audio.get(side)
                value = {"id": asked[key]} if key == "voice" and isinstance(asked[key], str) else asked[key]
                audio[side] = {**(known if isinstance(known, dict) else {}), inner: value}
        return {**out, "type": "realtime", **({"audio": audio} if audio else {})}

    def _side(self, side: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The caller's audio, or the reply's."""
        out = {key: value for key, value in asked.items() if key != "transport"}
        if asked.get("transport") not in (None, "json"):
            raise invalid_choice(f"session.audio.{side}.transport", asked["transport"], ("json",))
        wire = out.get("format")
        if isinstance(wire, dict) and wire.get("type") == "audio/pcm" and wire.get("rate") is not None:
            rate = wire["rate"]
            if rate not in RATES_HZ:
                raise invalid_choice(f"session.audio.{side}.format.rate", rate, RATES_HZ)
            out["format"] = {"type": "audio/pcm"}
            if side == "input":
                self.pcm_in_hz = int(rate)
            else:
                self._rate_out_hz = int(rate)
        if isinstance(heard := out.get("transcription"), dict):
            out["transcription"] = {_WORDS.get(key, key): value for key, value in heard.items()}
        return out

    # session -> client

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        kind = event["type"]
        if kind in _NOT_SENT:
            return ()
        if kind == "session.created":
            session = self._shown(event["session"])
            conversation = {"id": f"conv_{session['id']}", "object": "realtime.conversation"}
            created = {"type": "conversation.created", "event_id": f"{event['event_id']}_c"}
            return ({**event, "session": session}, {**created, "conversation": conversation})
        if "session" in event:
            return ({**event, "session": self._shown(event["session"])},)
        if kind == _PIECE:
            item = event["item_id"]
            words = self._heard[item] = self._heard.get(item, "") + event["delta"]
            told = {key: value for key, value in event.items() if key != "delta"}
            return ({**told, "type": _PIECE.replace(".delta", ".updated"), "transcript": words},)
        if kind == "response.done" and (usage := event["response"].get("usage")):
            return ({**event, "response": {**event["response"], "usage": {}}, "usage": usage},)
        if kind == f"{_PIECE.removesuffix('.delta')}.completed":
            self._heard.pop(event["item_id"], None)
        return (event,)

    def _shown(self, session: Mapping[str, Any]) -> dict[str, Any]:
        audio = {side: dict(keys) for side, keys in session["audio"].items()}
        lifted = {key: audio[side].pop(inner, None) for key, (side, inner) in _LIFTED.items() if side in audio}
        if isinstance(voice := lifted.get("voice"), dict):
            lifted["voice"] = voice["id"]
        if audio["input"]["format"]["type"] == "audio/pcm":
            audio["input"]["format"] = {"type": "audio/pcm", "rate": self.pcm_in_hz}
        if heard := audio["input"].get("transcription"):
            ours = {theirs: key for key, theirs in _WORDS.items()}
            audio["input"]["transcription"] = {ours.get(key, key): value for key, value in heard.items()}
        return {**session, **lifted, "audio": audio}


def _is_the_vendors(tool: object) -> bool:
    return isinstance(tool, dict) and tool.get("type") in {"web_search", "x_search", "file_search"}
