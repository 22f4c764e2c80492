"""SQL of the ledger. It never decides and never commits."""
