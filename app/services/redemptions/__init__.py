"""Redemptions: points spent.

``reservations``: rewards reserved with held points, or cancelled. ``collecting``: handed over.
``proxies``: somebody else collects, once.
``holding``: what reservations share. ``undoing``: a collection of the last minutes, undone.
``charges``: points charged at a counter with the code of a card. ``refunds``: of all, or parts.
``card_codes``: whether a code can be used here and now.
``charge_caps``: daily caps of charges. ``confirming``: large ones, by their payer.
``disputes``: decided by the organisation.
"""
