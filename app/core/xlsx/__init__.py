"""Reading uploaded XLSX files: a guard against hostile archives, then a strict reader."""
