"""Words of the reminder an hour before an activity."""

from app.schemas.notify import words

NOTICES = {
    "signup_in_an_hour": words(
        ("活动即将开始", "Activity begins soon"),
        "您报名的「{title}」将于 {starts_at:time} 开始，请准时到场。",
        "“{title}”, which you signed up to, starts {starts_at:time}.",
    )
}
