"""Redemption days (集中兑换).

``reading``: a day, and what it is to a reader. ``editing``: drafts, publication, stock, stewards.
``absences``: missed days, reminders. ``closing``: the reconciliation.
"""
