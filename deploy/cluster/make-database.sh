#!/bin/sh
# Patroni runs it once, on the primary of a new cluster, with the address of the database postgres.
set -eu
exec psql -X -v ON_ERROR_STOP=1 -d "$1" <<'END'
CREATE DATABASE qingxiang;
\connect qingxiang
\i /etc/init-roles.sql
END
