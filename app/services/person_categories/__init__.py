"""Categories of people: recorded for a cohort, read, ended."""
