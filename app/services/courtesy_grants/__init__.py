"""Grants of courtesies to a cohort: made, revoked, read, claimed once by each person."""
