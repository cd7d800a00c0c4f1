"""When calls start and how many there are: plans, Locust users, the live view, the end of a run."""
