"""What the header of an audio file says against what the file holds: truncated files, and sizes that are not true.

In: the bytes of a file, and libsndfile's notes from reading its header. Out: bytes that can be read whole, or a
sentence on what is missing. Trap: a program that streams (ffmpeg or sox into a pipe, a PBX that was stopped) leaves a
size of 0 or nearly 2^31 or 2^32 in the header; all of its audio is there, so only another wrong size is a fault.
"""

from __future__ import annotations

import re
import struct

STREAMED = (0x7FFFF000, 0xFFFFFFFF)  # placeholders of writers that could not go back and correct the size
SLACK_BYTES = 256  # writers differ on padding and on which headers they count
CHUNK_HEAD = 8
_SHOULD_BE = re.compile(r"^\s*(?P<name>[^:\n]+?)\s*: (?P<said>\d+) \(should be (?P<held>\d+)\)", re.MULTILINE)
_FRAMES = re.compile(r"frame count (?P<held>\d+) does not match value from 'ds64' chunk of (?P<said>\d+)")
_OGG_LAST_PAGE = 4  # flag of the page that ends a stream


def mended(data: bytes) -> tuple[bytes, str | None]:
    """A WAV file with the size of a streamed one put right, and a sentence when its size is wrong otherwise."""
    place = _wav_data(data)
    if place is None:
        return data, None
    at, said = place
    held = len(data) - at
    if said == 0 and held > CHUNK_HEAD and not _chunks_follow(data, at):
        size = min(held, 0xFFFFFFFF - at)
        head = bytearray(data[:at])
        struct.pack_into("<I", head, at - 4, size)
        struct.pack_into("<I", head, 4, at - 8 + size)
        return bytes(head) + data[at:], None
    if 0 < said < held and not _chunks_follow(data, at + said + said % 2):
        return data, f"its header says {said:,} bytes of audio, and {held:,} bytes follow it"
    return data, None


def shortfall(data: bytes, log: str) -> str | None:
    """What a truncated file lacks, in numbers; None for a whole one. `log` is libsndfile's account of the header."""
    found = _FRAMES.search(log)
    if found is not None and int(found["said"]) > int(found["held"]) and int(found["said"]) < STREAMED[0]:
        return f"its header says {int(found['said']):,} frames, and it holds {int(found['held']):,}"
    for found in _SHOULD_BE.finditer(log):
        said, held = int(found["said"]), int(found["held"])
        if said > held + SLACK_BYTES and not STREAMED[0] <= said <= STREAMED[1] and said < 1 << 62:
            return f"its header says {said:,} bytes, and it holds {held:,}"
    if data[:4] == b"OggS":
        last = data.rfind(b"OggS")
        if last + 5 < len(data) and not data[last + 5] & _OGG_LAST_PAGE:
            return "its last page is missing"
    if data[:4] == b"NIST":
        told = re.search(rb"sample_count -i (\d+)", data[:1024])
        size = re.search(rb"sample_n_bytes -i (\d+)", data[:1024])
        channels = re.search(rb"channel_count -i (\d+)", data[:1024])
        if told and size and channels:
            said, held = int(told[1]) * int(size[1]) * int(channels[1]), len(data) - 1024
            if said > held + SLACK_BYTES:
                return f"its header says {said:,} bytes, and it holds {held:,}"
    return None


def _wav_data(data: bytes) -> tuple[int, int] | None:
    """Where the audio of a WAV file begins, and the size that its header gives."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at = 12
    while at + CHUNK_HEAD <= len(data):
        size = int(struct.unpack_from("<I", data, at + 4)[0])
        if data[at : at + 4] == b"data":
            return at + CHUNK_HEAD, size
        at += CHUNK_HEAD + size + size % 2
    return None


def _chunks_follow(data: bytes, at: int) -> bool:
    """Whether what lies at `at` is the end of the file (padding apart) or a chain of chunks that reaches it."""
    while at + CHUNK_HEAD <= len(data):
        name, size = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        if not any(data[at:]):
            return len(data) - at <= SLACK_BYTES
        if not all(32 <= letter < 127 for letter in name):
            return False
        at += CHUNK_HEAD + size + size % 2
    return at - len(data) <= 1
