"""Courtesies: drafted, published, read, and who may have them."""
