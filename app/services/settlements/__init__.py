"""Settlements of merchants' months.

``figures``: a month in points and cents. ``settling``: a month is settled, and marked as paid.
``disputes``: lines are disputed and decided. ``reading``: settlements, their lines, months that
are not settled yet. ``page``: a settlement as a page for A4.
"""
