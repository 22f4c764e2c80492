"""Qingxiang 青享: sign-up, check-in, points and redemption for community youth work."""
