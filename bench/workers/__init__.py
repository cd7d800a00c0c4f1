"""Worker processes, here and on other machines."""
