#!/bin/sh
# A container's port is published on purpose, so protected mode (loopback only) is off, as in Redis's image.
set -eu
case "${1:-redis-server}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] || [ "$1" = valkey-server ]; then
    set -- "$@" --protected-mode no
fi
exec "$@"
