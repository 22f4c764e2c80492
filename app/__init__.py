"""Qingxiang 青享: sign-up, check-in, points and redemption for community youth work."""

import gc

# By default the collector runs after 700 new objects, which takes a fifth of the time to start, as
# what is imported stays, and a tenth of the time of a request, which leaves no cycles.
gc.set_threshold(50_000, 20, 20)
