"""SQL of redemption days."""
