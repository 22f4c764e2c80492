"""What organizers do with activities of theirs: edit, end, copy and list them."""
