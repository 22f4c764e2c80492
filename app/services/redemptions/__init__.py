"""Redemptions: points spent.

``reservations``: a reward reserved with held points, collected at a counter or given back.
``charges``: points taken at a counter with the code of a card, and refunded.
"""
