"""Spoken questions with known answers: from a file to recordings and a scenario that `bench run` plays."""
