"""Claims of courtesies: made and cancelled by residents, used at counters and venues."""
