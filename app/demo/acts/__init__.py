"""The acts, in the order of ``play.ACTS``: a month, and in it a weekend."""
