"""Awards: points for an act under a rule, within its caps, in the same transaction.

``proposals`` by hand, in ``batches`` and ``sheets`` too; ``review`` approves them and
``public_notice`` publishes them. ``granting`` gives within ``caps``, ``payment`` pays when a fund
can, ``release`` ends the waiting, and ``reversal`` takes back. ``reading`` lists awards for owners
and reviewers. ``simulation`` replays past acts under a draft.
"""
