"""Wire shapes of redemption days: their content and changes, and the lists of the day."""
