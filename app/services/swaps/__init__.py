"""Swaps of shifts between two people: offered, accepted, listed (decision 0044)."""
