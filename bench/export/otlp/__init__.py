"""A run as OpenTelemetry has it: metrics and spans, sent over HTTP to a collector."""
