"""Accounts of the ledger: who owns them, reading them, and their transfers."""
