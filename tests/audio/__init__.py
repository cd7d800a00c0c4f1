"""Tests of the audio room; a package so that its modules share `signals` and never clash with another room."""
