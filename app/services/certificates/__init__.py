"""Certificates of volunteer hours: issued, checked, drawn as PDF."""
