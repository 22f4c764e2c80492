# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of quests: visits, completions and their awards, with each other and the audit trail."""

from app.queries.ledger.attendance import FORGOTTEN
from app.queries.ledger.checking import Check

# A condition on awards a.
BY_QUEST = "a.reference LIKE 'quest:%'"
# Whether the time of a visit v is known: the first moment of a day is also the date of what
# happened after the day before was closed too early (``moments``).
_DATED = "v.visited_at <> date_trunc('day', v.visited_at, 'Asia/Shanghai')"
# The account that one of a person leads to, by its alias.
_OF_PERSON = "coalesce({0}.merged_into_id, {0}.id)"

QUEST_CHECKS = (
    Check(
        "quests: each completion has its award, of its person, quest and moment, and each award its"
        " own; doubted ones need a reviewer",
        f"""
        SELECT CASE WHEN c.award_id IS NULL THEN 'award ' || a.id
                    ELSE 'completion of quest ' || c.quest_id || ' by ' || c.person_id END
                   AS subject,
               concat_ws(' ', c.reference, 'under', c.rule_key, 'by', c.org_id, 'of', c.person_id,
                         'at', c.completed_at, CASE WHEN c.doubted THEN 'reviewed' END)
                   AS expected,
               concat_ws(' ', a.reference, 'under', a.rule_key, 'by', a.org_id, 'of', a.person_id,
                         'at', a.awarded_at, a.reviews_needed, 'reviews') AS found
        FROM (
            SELECT c.*, q.org_id, q.rule_key,
                   concat_ws(':', 'quest', c.quest_id, c.person_id) AS reference
            FROM quest_completions c JOIN quests q ON q.id = c.quest_id
        ) c
        FULL JOIN (SELECT * FROM awards a WHERE {BY_QUEST}) a ON a.id = c.award_id
        WHERE (c.reference, c.rule_key, c.org_id, c.person_id, c.completed_at)
              IS DISTINCT FROM (a.reference, a.rule_key, a.org_id, a.person_id, a.awarded_at)
           OR (c.doubted AND a.reviews_needed = 0)
        """,
    ),
    Check(
        # By all accounts of a person, who may have been merged later.
        "quests: who visited as many checkpoints as it needs has completed it, and nobody else;"
        " completions with a flagged visit are doubted",
        f"""
        SELECT 'completion of quest ' || c.quest_id || ' by ' || c.person_id AS subject,
               q.needed || ' visits' AS expected,
               count(DISTINCT v.checkpoint_id) || ' visits, '
                   || count(v.flagged) FILTER (WHERE v.person_id = c.person_id) || ' flagged'
                   AS found
        FROM quest_completions c
        JOIN quests q ON q.id = c.quest_id
        JOIN people p ON p.id = c.person_id
        LEFT JOIN (quest_visits v JOIN people o ON o.id = v.person_id)
          ON v.quest_id = c.quest_id AND v.visited_at <= c.completed_at
         AND {_OF_PERSON.format("o")} = {_OF_PERSON.format("p")}
        GROUP BY c.quest_id, c.person_id, c.doubted, q.needed
        HAVING count(DISTINCT v.checkpoint_id) < q.needed
            OR (NOT c.doubted AND count(v.flagged) FILTER (WHERE v.person_id = c.person_id) > 0)
        UNION ALL
        SELECT 'completion of quest ' || v.quest_id || ' by ' || v.person_id, 'one', NULL
        FROM quest_visits v
        JOIN quests q ON q.id = v.quest_id
        JOIN people o ON o.id = v.person_id
        GROUP BY v.quest_id, v.person_id, q.needed, o.id
        HAVING count(DISTINCT v.checkpoint_id) >= q.needed AND NOT EXISTS (
            SELECT FROM quest_completions c JOIN people p ON p.id = c.person_id
            WHERE c.quest_id = v.quest_id
              AND {_OF_PERSON.format("o")} = {_OF_PERSON.format("p")})
        """,
    ),
    Check(
        "quest visits: each is near its checkpoint, while that was open",
        f"""
        SELECT 'quest visit ' || v.id AS subject,
               concat_ws(' ', 'quest', k.quest_id, 'within', k.radius_m + v.accuracy_m, 'm, from',
                         k.opens_at, 'to', k.closes_at) AS expected,
               concat_ws(' ', 'quest', v.quest_id, 'within', v.distance_m, 'm, at', v.visited_at)
                   AS found
        FROM quest_visits v LEFT JOIN quest_checkpoints k ON k.id = v.checkpoint_id
        WHERE (v.quest_id = k.quest_id AND v.distance_m <= k.radius_m + v.accuracy_m
               AND (NOT {_DATED} OR (v.visited_at >= k.opens_at AND v.visited_at < k.closes_at)))
              IS NOT TRUE
        """,
    ),
    Check(
        "quests: the audit trail has an entry of each part in one, and of each flagged visit",
        f"""
        SELECT coalesce(e.what, f.what) || ' ' || coalesce(e.id, f.id) AS subject,
               e.person_id AS expected, f.person_id AS found
        FROM (
            SELECT 'quest' AS what, subject_id AS id, actor_id AS person_id FROM audit_entries
            WHERE subject_type = 'quest' AND verb = 'organizes'
            UNION ALL
            SELECT 'quest visit', subject_id, subject_id FROM audit_entries
            WHERE subject_type = 'quest_visit' AND verb = 'flagged'
        ) e
        FULL JOIN (
            SELECT 'quest' AS what, quest_id AS id, person_id, created_at FROM quest_organizers
            UNION ALL
            SELECT 'quest visit', id, id, visited_at FROM quest_visits
            WHERE flagged IS NOT NULL
        ) f ON f.what = e.what AND f.id = e.id
           AND f.person_id = e.person_id
        WHERE f.what IS NULL OR (e.what IS NULL AND f.created_at >= {FORGOTTEN})
        """,
    ),
)
