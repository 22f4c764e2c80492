"""The points rules (积分管理办法): documents that a committee writes and the service obeys.

``reading`` checks a document, ``tightening`` holds one below another, ``books`` knows what is
in force, ``rules`` says what an act is worth, ``publishing`` adds a version.
"""
