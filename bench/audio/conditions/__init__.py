"""What happens to a caller's voice on its way to the line: one kind of condition a file.

In: a recording as samples, with its annotated stretch of speech, and a seed. Out: the recording as it is sent.
A new kind is a new file, and a field of `Condition` at the place where it happens to the sound.
"""

from bench.audio.conditions.condition import CLEAN, Condition
from bench.audio.conditions.rendered import IdleNoise, RenderedFixture, rendered

__all__ = ["CLEAN", "Condition", "IdleNoise", "RenderedFixture", "rendered"]
