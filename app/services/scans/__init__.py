"""Scans: what devices recorded without network is verified, settled and reported."""
