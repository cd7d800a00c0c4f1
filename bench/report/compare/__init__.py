"""Stored runs side by side: what differs between them, and by how much, with what could have been seen."""
