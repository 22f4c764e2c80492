"""SQL of awards."""
