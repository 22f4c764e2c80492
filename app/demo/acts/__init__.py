"""The acts of the day, in order: gathering, attendance, honours, rewards, payments, closing."""
