"""Merchants: those that accept points.

``access``: a merchant, and who acts for it. ``register``: applications, visits, states, profiles.
``staff``: who works there. ``statement``: what was charged, refunded and collected.
"""
