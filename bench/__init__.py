"""Load: what the service bears on this machine, as ratios measured in one run."""
