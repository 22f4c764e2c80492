"""Checks of check-ins at linked places, with their awards and the agreements of their days."""

from app.queries.ledger.checking import Check

LINKED_PLACE_CHECKS = (
    Check(
        "linked places: each check-in has its award, of its person, place and moment, and each"
        " award its own; doubted ones need a reviewer",
        """
        SELECT CASE WHEN v.id IS NULL THEN 'award ' || a.id
                    ELSE 'check-in at a linked place ' || v.id END AS subject,
               concat_ws(' ', v.reference, 'under', v.rule_key, 'by', v.org_id, 'of', v.person_id,
                         'at', v.visited_at, CASE WHEN v.doubted THEN 'reviewed' END) AS expected,
               concat_ws(' ', a.reference, 'under', a.rule_key, 'by', a.org_id, 'of', a.person_id,
                         'at', a.awarded_at, a.reviews_needed, 'reviews') AS found
        FROM (
            SELECT v.*, p.org_id, p.rule_key,
                   concat_ws(':', 'place', p.id, v.visited_on, v.person_id) AS reference
            FROM linked_place_visits v JOIN linked_places p ON p.id = v.linked_place_id
        ) v
        FULL JOIN (SELECT * FROM awards WHERE reference LIKE 'place:%') a ON a.id = v.award_id
        WHERE (v.reference, v.rule_key, v.org_id, v.person_id, v.visited_at)
              IS DISTINCT FROM (a.reference, a.rule_key, a.org_id, a.person_id, a.awarded_at)
           OR (v.doubted AND a.reviews_needed = 0)
        """,
    ),
    Check(
        "linked places: each check-in is near its shop, on its day, under an agreement then in"
        " force with its merchant",
        """
        SELECT 'check-in at a linked place ' || v.id AS subject,
               concat_ws(' ', 'within', p.radius_m + v.accuracy_m, 'm, on',
                         CAST(timezone('Asia/Shanghai', v.visited_at) AS date)) AS expected,
               concat_ws(' ', 'within', v.distance_m, 'm, on', v.visited_on) AS found
        FROM linked_place_visits v
        JOIN linked_places p ON p.id = v.linked_place_id
        JOIN shops s ON s.id = p.shop_id
        WHERE v.distance_m > p.radius_m + v.accuracy_m
           OR v.visited_on <> CAST(timezone('Asia/Shanghai', v.visited_at) AS date)
           OR s.merchant_id <> p.merchant_id
           OR NOT EXISTS (
               SELECT FROM agreements g
               WHERE g.merchant_id = p.merchant_id AND g.org_id = p.org_id
                 AND g.state IN ('active', 'ended') AND g.since <= v.visited_on
                 AND (g.until IS NULL OR g.until >= v.visited_on))
        """,
    ),
)
