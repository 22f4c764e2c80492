"""Orders of redemption days (集中兑换).

``ordering``: goods and places taken, points held. ``counters``: hand-overs and walk-ins.
``substituting``: substitutes with the person's consent.
"""
