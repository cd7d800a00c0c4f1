"""`bench run`: prepare, conduct, finish."""
