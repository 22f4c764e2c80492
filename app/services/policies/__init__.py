"""The points rules (积分管理办法): documents written by committees.

``reading`` parses and checks a document, ``tightening`` merges one with the policy above,
``history`` has what is in force, ``rules`` computes points, ``publishing`` adds a version.
"""
