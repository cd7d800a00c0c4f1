"""The server side of the three HTTP services that a cascade calls: speech to text, chat, text to speech."""
