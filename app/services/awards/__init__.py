"""Awards: points for an act under a rule, within its caps, in the same transaction.

``proposals`` come by hand, in ``batches`` and ``sheets`` too; ``review`` approves them,
``notices`` show them to everybody, ``reading`` to their owners and reviewers; ``grant``
gives within ``caps``, ``release`` ends the waiting, ``reversal`` takes back.
``simulation`` replays the past under a draft: ``replay`` act by act, upon what is ``earned``.
"""
