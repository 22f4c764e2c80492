"""Attachments: pictures and documents of any subject."""
