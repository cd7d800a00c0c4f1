"""The engine `cascade`: speech to text, chat and text to speech of others, called over HTTP."""
