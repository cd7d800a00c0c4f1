"""YAML files as checked data: every value has its line, and every error names it. Also secrets and units."""
