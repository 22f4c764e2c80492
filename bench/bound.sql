-- A batch of check-ins in one call: the rows, locks and checks of app/services/checkins.py for a
-- rule that pays a fixed number of points at once, without its time (no attended_times).
-- Left out: repeated check-ins, own acts of organizers, debts, holds, limited funds. They are
-- looked for; a batch that meets a debt, a hold or a second organisation raises an error, and who
-- organizes the activity gets no row. The trigger for closed days runs as for every transfer.
CREATE TYPE bound_met AS (n bigint, person_id uuid, checkin_id uuid, award_id uuid, lot_id uuid,
                          activity_id uuid, org_id uuid, title text);

CREATE FUNCTION bound_checkins(
    serials int[], people uuid[], checkin_ids uuid[], award_ids uuid[], lot_ids uuid[],
    at timestamptz, day_start timestamptz, month_start timestamptz, year_start timestamptz,
    lots_expire timestamptz, unit int, rule text, title_prefix text, emergency text[],
    rule_points int, policy int, rule_caps int[], caps int[], emergency_day int)
RETURNS TABLE (n bigint, checkin_id uuid, activity_id uuid, award_id uuid, points int,
               available bigint, pending bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    met bound_met[];
    fund ledger_accounts;
    owners uuid[];
BEGIN
    -- Look, lock the places, insert.
    WITH wanted AS MATERIALIZED (
        SELECT k.n, k.person_id, k.checkin_id, k.award_id, k.lot_id,
               a.id AS activity_id, a.org_id, a.title
        FROM unnest(serials, people, checkin_ids, award_ids, lot_ids) WITH ORDINALITY
            AS k(serial, person_id, checkin_id, award_id, lot_id, n)
        JOIN activities a ON a.serial = k.serial
        WHERE a.status = 'published' AND at >= a.starts_at - interval '30 minutes'
          AND at < a.ends_at + interval '30 minutes' AND a.created_by <> k.person_id
          AND NOT EXISTS (SELECT FROM activity_organizers o
                          WHERE o.activity_id = a.id AND o.person_id = k.person_id)
    ), places AS MATERIALIZED (
        SELECT w.* FROM wanted w
        JOIN signups s ON s.activity_id = w.activity_id AND s.person_id = w.person_id
        WHERE s.status = 'confirmed' ORDER BY s.id FOR SHARE OF s
    ), inserted AS (
        INSERT INTO checkins (id, activity_id, session, person_id, method, checked_in_at, award_id)
        SELECT checkin_id, activity_id, 0, person_id, 'rotating_code', at, award_id
        FROM places ORDER BY activity_id, person_id
        ON CONFLICT (activity_id, session, person_id) DO NOTHING RETURNING id
    )
    SELECT array_agg(ROW(p.*)::bound_met) INTO met
    FROM places p JOIN inserted i ON i.id = p.checkin_id;
    IF met IS NULL THEN RETURN; END IF;

    -- Open what is missing, lock in the order of the ids.
    INSERT INTO ledger_accounts (unit_id, owner_id, purpose, floor)
    SELECT unit, k.owner_id, k.purpose, k.floor
    FROM (SELECT DISTINCT m.org_id AS owner_id, 'fund' AS purpose, NULL::bigint AS floor
          FROM unnest(met) m
          UNION ALL SELECT m.person_id, 'available', 0 FROM unnest(met) m) k
    WHERE NOT EXISTS (SELECT FROM ledger_accounts a WHERE a.owner_id = k.owner_id
                      AND a.purpose = k.purpose AND a.unit_id = unit)
    ORDER BY k.owner_id ON CONFLICT DO NOTHING;
    owners := array(SELECT m.person_id FROM unnest(met) m) || met[1].org_id;
    PERFORM FROM (
        SELECT a.id FROM ledger_accounts a
        WHERE a.unit_id = unit AND a.owner_id = ANY (owners)
          AND a.purpose IN ('available', 'debt', 'fund')
          AND (a.purpose = 'fund') = (a.owner_id = met[1].org_id)
        ORDER BY a.id FOR UPDATE) locked;
    SELECT a.* INTO fund FROM ledger_accounts a
    WHERE a.owner_id = met[1].org_id AND a.purpose = 'fund' AND a.unit_id = unit;
    IF EXISTS (SELECT FROM unnest(met) m LEFT JOIN ledger_accounts a ON a.unit_id = unit
               AND a.owner_id = m.person_id
               AND (a.purpose = 'debt' AND a.balance < 0 OR a.holds_until IS NOT NULL)
               WHERE a.id IS NOT NULL OR m.org_id <> met[1].org_id) THEN
        RAISE EXCEPTION 'the bound knows no debts, holds and second organisations';
    END IF;

    -- Cap under the locks, then write everything; the activity's row last.
    RETURN QUERY
    WITH had AS MATERIALIZED (
        SELECT w.person_id,
            sum(w.points) FILTER (WHERE w.rule_key = rule
                AND w.awarded_at >= day_start) AS rule_day,
            sum(w.points) FILTER (WHERE w.rule_key = rule
                AND w.awarded_at >= month_start) AS rule_month,
            sum(w.points) FILTER (WHERE w.rule_key = rule) AS rule_year,
            sum(w.points) FILTER (WHERE w.rule_key <> ALL (emergency)
                AND w.awarded_at >= day_start) AS day,
            sum(w.points) FILTER (WHERE w.awarded_at >= day_start) AS whole_day,
            sum(w.points) FILTER (WHERE w.awarded_at >= month_start) AS month,
            sum(w.points) AS year
        FROM awards w
        WHERE w.person_id = ANY (owners) AND w.unit_id = unit
          AND w.awarded_at >= year_start AND w.state NOT IN ('reversed', 'rejected')
          AND NOT (w.reviews_needed > 0 AND w.release_at IS NULL
                   AND w.state IN ('pending', 'pending_budget'))
        GROUP BY w.person_id
    ), granted AS MATERIALIZED (
        SELECT m.*, a.id AS account_id, a.balance, a.last_number,
            greatest(0, least(rule_points,
                rule_caps[1] - coalesce(h.rule_day, 0), rule_caps[2] - coalesce(h.rule_month, 0),
                rule_caps[3] - coalesce(h.rule_year, 0), caps[1] - coalesce(h.day, 0),
                caps[2] - coalesce(h.month, 0), caps[3] - coalesce(h.year, 0),
                emergency_day - coalesce(h.whole_day, 0)))::int AS points
        FROM unnest(met) m
        JOIN ledger_accounts a ON a.owner_id = m.person_id AND a.purpose = 'available'
             AND a.unit_id = unit
        LEFT JOIN had h ON h.person_id = m.person_id
    ), paid AS MATERIALIZED (
        SELECT g.*, row_number() OVER (ORDER BY g.n) AS place,
               sum(g.points) OVER (ORDER BY g.n) AS so_far
        FROM granted g WHERE g.points > 0
    ), awarded AS (
        INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version,
            points, points_before_caps, minutes, hours_at_once, state, reason, title, evidence,
            awarded_at, reviews_needed, wait_hours, notice_days)
        SELECT g.award_id, 'checkin:' || g.activity_id || ':0:' || g.person_id, g.person_id,
            g.org_id, unit, rule, policy, g.points, rule_points, 0, true, 'available',
            CASE WHEN g.points = rule_points THEN 'full' ELSE 'cap_day' END,
            title_prefix || g.title, '{}', at,
            0, 0, 0
        FROM granted g
    ), transferred AS (
        INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount,
            from_number, to_number, from_balance, to_balance, kind, reason, reference,
            source_type, source_id, org_id, created_at)
        SELECT p.award_id, unit, fund.id, p.account_id, p.points, fund.last_number + p.place,
            p.last_number + 1, fund.balance - p.so_far, p.balance + p.points, 'award',
            title_prefix || p.title,
            'checkin:' || p.activity_id || ':0:' || p.person_id, 'award', p.award_id, p.org_id, at
        FROM paid p
    ), lots AS (
        INSERT INTO ledger_lots (id, account_id, transfer_id, amount, remaining, expires_at, org_id)
        SELECT p.lot_id, p.account_id, p.award_id, p.points, p.points, lots_expire, p.org_id
        FROM paid p
    ), received AS (
        UPDATE ledger_accounts a
        SET balance = a.balance + p.points, last_number = a.last_number + 1
        FROM paid p WHERE a.id = p.account_id
    ), spent AS (
        UPDATE ledger_accounts a
        SET balance = a.balance - s.points, last_number = a.last_number + s.number
        FROM (SELECT sum(p.points) AS points, count(*) AS number FROM paid p) s
        WHERE a.id = fund.id AND s.number > 0
    )
    SELECT g.n, g.checkin_id, g.activity_id, g.award_id, g.points, g.balance + g.points,
           coalesce((SELECT a.balance FROM ledger_accounts a WHERE a.owner_id = g.person_id
                     AND a.purpose = 'pending' AND a.unit_id = unit), 0)
    FROM granted g;
    UPDATE activities a SET checkins = a.checkins + c.number
    FROM (SELECT m.activity_id, count(*) AS number FROM unnest(met) m GROUP BY m.activity_id) c
    WHERE a.id = c.activity_id;
END $$;
