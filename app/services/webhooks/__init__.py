"""Webhooks of merchants: their addresses, the events, and their delivery."""
