"""One call: a paced microphone, a reader, a simulated listener; out comes a `Timeline` and nothing computed."""
