"""What a run measured, for Prometheus and OpenTelemetry: as it goes on, and at its end."""
