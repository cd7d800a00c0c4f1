"""What a run measured, for Prometheus: as it goes on, and at its end."""
