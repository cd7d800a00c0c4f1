"""A bot with pipecat's own serializer of Twilio Media Streams: it answers what it hears with a tone after a pause.

`python pipecat_bot.py PAUSE_MS TONE_MS` prints its port and runs until its standard input closes. What it hears is
what `TwilioFrameSerializer` makes of our messages; what it sends is what that makes of pipecat's frames. A tone is sent
at once, to be played in its time; when the caller speaks, pipecat's interruption clears what has not been played.
"""

from __future__ import annotations

import asyncio
import json
import sys

import numpy as np
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
)
from pipecat.serializers.twilio import TwilioFrameSerializer
from websockets.asyncio.server import ServerConnection, serve

RATE_HZ = 8_000
QUIET_PIECES = 15
LOUD = 120


class _Setup:
    """The part of pipecat's set-up that a serializer reads."""

    audio_in_sample_rate = RATE_HZ


def tone(tone_s: float) -> bytes:
    at = np.arange(round(RATE_HZ * tone_s))
    return (np.sin(at * 2 * np.pi * 440 / RATE_HZ) * 8000).astype("<i2").tobytes()


async def call(socket: ServerConnection, pause_s: float, tone_s: float) -> None:
    await socket.recv()  # connected
    start = json.loads(await socket.recv())["start"]
    params = TwilioFrameSerializer.InputParams(auto_hang_up=False)
    serializer = TwilioFrameSerializer(start["streamSid"], start["callSid"], params=params)
    await serializer.setup(_Setup())  # type: ignore[arg-type]

    async def send(frame: object) -> None:
        data = await serializer.serialize(frame)  # type: ignore[arg-type]
        if data is not None:
            await socket.send(data)

    async def answer() -> None:
        await asyncio.sleep(pause_s)
        sound = tone(tone_s)
        for at in range(0, len(sound), 640):
            await send(OutputAudioRawFrame(sound[at : at + 640], RATE_HZ, 1))
        mark = {"event": "mark", "streamSid": start["streamSid"], "mark": {"name": "end"}}
        await send(OutputTransportMessageFrame(mark))

    quiet, spoke, tasks = 0, False, set()
    async for message in socket:
        frame = await serializer.deserialize(message)
        if isinstance(frame, InputAudioRawFrame):
            loud = bool(np.abs(np.frombuffer(frame.audio, "<i2").astype(int)).max(initial=0) > LOUD)
            if loud and not spoke:
                await send(InterruptionFrame())
            spoke, quiet = spoke or loud, 0 if loud else quiet + 1
            if spoke and quiet == QUIET_PIECES:
                spoke = False
                tasks.add(asyncio.create_task(answer()))
        elif isinstance(frame, InputDTMFFrame):
            tasks.add(asyncio.create_task(answer()))


async def main() -> None:
    pause_s, tone_s = (float(word) / 1000 for word in sys.argv[1:])
    async with serve(lambda socket: call(socket, pause_s, tone_s), "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
