"""What each worker does: arrivals, the plan of its calls, Locust users, rows, health."""
