"""YAML files as checked data: every value knows its line, every complaint names it."""
