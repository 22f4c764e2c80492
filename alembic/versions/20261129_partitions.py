"""The audit trail and the outbox are partitioned by month (UTC); keys of requests have an index.

The table of before becomes the partition of this month and of all before it: no row of it is
written. Partitions are in a schema of their own, in which the service has no rights; it makes and
drops them by two functions of the owner (docs/decisions/0031).

Revision ID: 20261129_partitions
Revises: 20261129_recorded
"""

from alembic import op

revision = "20261129_partitions"
down_revision = "20261129_recorded"
branch_labels = None
depends_on = None

# The column by which each is partitioned, and what the service may do.
TABLES = {
    "audit_entries": ("id", "SELECT, INSERT"),
    "outbox": ("created_at", "SELECT, INSERT, UPDATE, DELETE"),
}
AHEAD = 3
CONSTRAINTS = """
ALTER TABLE audit_entries
    ADD CONSTRAINT pk_audit_entries PRIMARY KEY (id),
    ADD CONSTRAINT fk_audit_entries_actor_id FOREIGN KEY (actor_id) REFERENCES people (id),
    ADD CONSTRAINT fk_audit_entries_org_id FOREIGN KEY (org_id) REFERENCES orgs (id);
CREATE INDEX ix_audit_entries_org ON audit_entries (org_id, id);
CREATE INDEX ix_audit_entries_subject ON audit_entries (subject_type, subject_id, id);
CREATE INDEX ix_audit_entries_actor ON audit_entries (actor_id, id);
ALTER TABLE outbox ADD CONSTRAINT pk_outbox PRIMARY KEY ({key_of_outbox});
CREATE INDEX ix_outbox_waiting ON outbox (due_at, id) WHERE handled_at IS NULL
"""
# The numbers of messages go on: notices refer to them.
GO_ON = """
SELECT setval('{new}', last_value, is_called) FROM {old}
"""
# A bound of a partition: the first instant of a month, or the least UUIDv7 of that instant.
BOUND = """
CREATE FUNCTION partition_bound(parent text, month date) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE parent
        WHEN 'audit_entries' THEN
            lpad(to_hex(CAST(extract(epoch FROM month) * 1000 AS bigint)), 12, '0')
            || repeat('0', 20)
        ELSE to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00'
    END
$$
"""
# Attached rather than made as a partition: that would lock the table against its readers. Rows
# that came before their partition are in the default one, and move.
MAKE = """
CREATE FUNCTION make_partitions(parent text, ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    first date := date_trunc('month', now() AT TIME ZONE 'UTC');
    key text := CASE parent WHEN 'audit_entries' THEN 'id' WHEN 'outbox' THEN 'created_at' END;
    rest text;
    month date;
    part text;
    lower text;
    upper text;
    made int := 0;
BEGIN
    IF key IS NULL OR ahead IS NULL OR ahead > 12 THEN
        RAISE EXCEPTION 'no partitions of % for % months', parent, ahead
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    rest := format('partitions.%I', parent || '_default');
    FOR n IN 0..ahead LOOP
        month := first + make_interval(months => n);
        part := format('partitions.%I', parent || to_char(month, '_YYYYMM'));
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        lower := public.partition_bound(parent, month);
        upper := public.partition_bound(parent, CAST(month + interval '1 month' AS date));
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rest);
        EXECUTE format('CREATE TABLE %s (LIKE public.%I INCLUDING ALL EXCLUDING IDENTITY)',
            part, parent);
        EXECUTE format('WITH early AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING *)'
            ' INSERT INTO %s SELECT * FROM early', rest, key, lower, key, upper, part);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
            parent, part, lower, upper);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$
"""
# 36 months: article 31 of the e-commerce law (电子商务法) asks for three years after a
# transaction, article 21 of the cybersecurity law (网络安全法) for six months of logs.
DROP = """
CREATE FUNCTION drop_partition(parent text, at timestamptz, months int) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    least_months int := CASE parent WHEN 'audit_entries' THEN 36 WHEN 'outbox' THEN 1 END;
    before timestamp;
    part text;
    until date;
    is_used boolean;
BEGIN
    IF least_months IS NULL OR at IS NULL OR months IS NULL THEN
        RAISE EXCEPTION 'no partitions of % to drop', parent
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    before := least(at, now()) AT TIME ZONE 'UTC'
        - make_interval(months => greatest(months, least_months));
    FOR part, until IN
        SELECT p.name, CAST(p.month + interval '1 month' AS date)
        FROM (SELECT c.relname AS name, to_date(right(c.relname, 6), 'YYYYMM') AS month
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = to_regclass('public.' || parent)
                AND c.relname ~ '_[0-9]{6}$') p
        WHERE p.month + interval '1 month' <= before
        ORDER BY p.name
    LOOP
        IF parent = 'outbox' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM partitions.%I WHERE handled_at IS NULL)',
                part) INTO is_used;
            CONTINUE WHEN is_used;
        END IF;
        EXECUTE format('DROP TABLE partitions.%I', part);
        IF parent = 'audit_entries' THEN
            INSERT INTO public.audit_entries (verb, subject_type, subject_id, fields, facts)
            VALUES ('forgotten', 'audit_entry', '00000000-0000-0000-0000-000000000000', '[]',
                jsonb_build_object('until', to_char(until, 'YYYY-MM-DD') || 'T00:00:00+00:00'));
        END IF;
        RETURN part;
    END LOOP;
    RETURN NULL;
END
$$
"""
# What is dated after this month, by a clock that was wrong, is in the default partition.
ATTACH = """
DO $$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC');
    part text := '{table}' || to_char(month, '_YYYYMM');
    lower text := quote_literal(partition_bound('{table}', month));
    upper text := partition_bound('{table}', CAST(month + interval '1 month' AS date));
    has_rows boolean;
BEGIN
    EXECUTE format('ALTER TABLE partitions.{table} RENAME TO %I', part);
    EXECUTE format('WITH later AS (DELETE FROM partitions.%I WHERE {key} >= %L RETURNING *)'
        ' INSERT INTO partitions.{table}_default OVERRIDING SYSTEM VALUE SELECT * FROM later',
        part, upper);
    EXECUTE format('SELECT EXISTS (SELECT FROM partitions.%I)', part) INTO has_rows;
    EXECUTE format('ALTER TABLE {table} ATTACH PARTITION partitions.%I'
        ' FOR VALUES FROM (%s) TO (%L)', part, CASE WHEN has_rows THEN 'MINVALUE' ELSE lower END, upper);
    PERFORM make_partitions('{table}', {ahead});
END
$$
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA partitions")
    for function in (BOUND, MAKE, DROP):
        op.execute(function)
    for function in ("partition_bound", "make_partitions", "drop_partition"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION make_partitions, drop_partition TO qx_app")
    for table, (key, rights) in TABLES.items():
        op.execute(f"ALTER TABLE {table} SET SCHEMA partitions")
        op.execute(
            f"CREATE TABLE {table} (LIKE partitions.{table} INCLUDING DEFAULTS INCLUDING IDENTITY)"
            f" PARTITION BY RANGE ({key})"
        )
        op.execute(f"GRANT {rights} ON {table} TO qx_app")
        op.execute(f"REVOKE ALL ON partitions.{table} FROM qx_app")
    op.execute(GO_ON.format(new="public.outbox_id_seq", old="partitions.outbox_id_seq"))
    op.execute("ALTER TABLE partitions.outbox ALTER id DROP IDENTITY, DROP CONSTRAINT pk_outbox")
    _execute_each(CONSTRAINTS.format(key_of_outbox="id, created_at"))
    for table, (key, _) in TABLES.items():
        op.execute(f"CREATE TABLE partitions.{table}_default PARTITION OF {table} DEFAULT")
        op.execute(ATTACH.format(table=table, key=key, ahead=AHEAD))
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")
    for table in TABLES:
        op.execute(
            f"CREATE TABLE partitions.{table} (LIKE {table} INCLUDING DEFAULTS INCLUDING IDENTITY)"
        )
        op.execute(f"INSERT INTO partitions.{table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}")
    op.execute(GO_ON.format(new="partitions.outbox_id_seq", old="public.outbox_id_seq"))
    for table, (_, rights) in TABLES.items():
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE partitions.{table} SET SCHEMA public")
        op.execute(f"GRANT {rights} ON {table} TO qx_app")
    _execute_each(CONSTRAINTS.format(key_of_outbox="id"))
    op.execute("DROP FUNCTION drop_partition, make_partitions, partition_bound")
    op.execute("DROP SCHEMA partitions")


def _execute_each(statements: str) -> None:
    for statement in statements.split(";"):
        op.execute(statement)
