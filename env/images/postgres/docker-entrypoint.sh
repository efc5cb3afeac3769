#!/bin/sh
# Creates the cluster, the user and the database at the first start, then becomes the server.
set -eu

case "${1:-postgres}" in
    -*) set -- postgres "$@" ;;
esac

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set: a server without a password is not started." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    secret=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" >"$secret"
    initdb -D "$PGDATA" -U "$user" --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --no-sync >/dev/null
    rm -f "$secret"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "host replication all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    [ "$database" = postgres ] ||
        printf 'create database "%s"\n' "$database" | postgres --single -D "$PGDATA" postgres >/dev/null
    if [ -n "$(ls /docker-entrypoint-initdb.d)" ]; then
        # On a socket only, so that nobody from outside finds the half-filled database.
        pg_ctl -D "$PGDATA" -w -o "-c listen_addresses= -c unix_socket_directories=/tmp" start
        for file in /docker-entrypoint-initdb.d/*; do
            case "$file" in
                *.sql) psql -v ON_ERROR_STOP=1 -h /tmp -U "$user" -d "$database" -f "$file" ;;
                *.sh) . "$file" ;;
                *) echo "ignored: $file" ;;
            esac
        done
        pg_ctl -D "$PGDATA" -m fast -w stop
    fi
fi

if [ "$1" = postgres ]; then
    shift
    set -- postgres -D "$PGDATA" -c "listen_addresses=*" -c unix_socket_directories=/tmp "$@"
fi
exec "$@"
