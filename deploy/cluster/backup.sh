#!/bin/sh
# Makes a backup (full, diff or incr) if this node is the primary; the others have nothing to do.
set -eu
primary=$(psql -X -d postgres -Atc 'SELECT NOT pg_is_in_recovery()')
[ "$primary" = t ] || exit 0
# Does nothing when the stanza is there already.
pgbackrest --stanza=qingxiang stanza-create
exec pgbackrest --stanza=qingxiang --type="$1" backup
