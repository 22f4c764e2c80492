"""Wire shapes of awards: ``reading``, ``proposals``, ``batches`` and ``review``."""
