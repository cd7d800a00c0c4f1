"""What the two channels of a stereo file are called; apart, so that a catalogue is read without the audio libraries."""

NAMES = {"left": 1, "right": 2}
