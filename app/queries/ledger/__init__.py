"""SQL of the ledger. Decisions and commits are made by its callers."""
