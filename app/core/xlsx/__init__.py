"""XLSX files: a guard against hostile archives, a strict reader, a writer of plain rows."""
