"""Merges of two accounts of one person: what must be so before, and what is done."""
