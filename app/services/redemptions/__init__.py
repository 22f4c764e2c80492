"""Redemptions: points spent.

``reservations``: rewards reserved with held points, collected at a counter or cancelled.
``proxies``: somebody else collects, once.
``holding``: what reservations share. ``undoing``: a collection of the last minutes, undone.
``charges``: points charged at a counter with the code of a card. ``refunds``: of all, or parts.
"""
