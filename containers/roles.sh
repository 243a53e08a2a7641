#!/bin/sh
# Runs once, when the database is made: the roles of the runner and of the viewer. `ledger init` gives them their rights.
# psql itself reads the passwords, so that no list of processes shows them.
set -eu
for role in benchmarks_runner benchmarks_viewer; do
  file=${SECRETS:-/run/secrets}/ledger_${role#benchmarks_}_password
  test -s "$file"
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=role="$role" --set=file="$file" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set password `cat :'file'`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
done
