"""`bench calibrate`: measurement error against a server whose truth is known."""
