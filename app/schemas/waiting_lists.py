"""Words of what the waiting list brings."""

from app.schemas.notify import words

NOTICES = {
    "signup_offered": words(
        ("有名额了", "A place for you"),
        "「{title}」（{starts_at:time}）有名额了，请在 {offer_until:time} 前接受，逾期给下一位。",
        "A place at “{title}” ({starts_at:time}) is yours if you accept it by {offer_until:time};"
        " then it goes to the next.",
    ),
    "signup_offer_lapsed": words(
        ("名额已过期", "Offer over"),
        "「{title}」的名额未在 {offer_until:time} 前接受，已给下一位；仍可重新报名。",
        "You did not accept the place at “{title}” by {offer_until:time}. You may sign up again.",
    ),
}
