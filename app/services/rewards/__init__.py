"""Rewards: what points are spent on.

``reading``: the list, and what can be had now. ``editing``: drafts, terms, states, stock.
"""
