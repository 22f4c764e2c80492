"""Simulations of drafts of points rules."""
