#!/bin/sh
# A Docker engine for continuous integration: the one that answers, else Debian's, installed and started here.
# Prints one line that says which. Ends with 1, and the reason, where no engine can run a container.
set -u

log=${TMPDIR:-/tmp}/docker-engine.log

no() {
    echo "Docker engine: none; $*"
    exit 1
}

answers() { docker info >/dev/null 2>&1; }

# An engine may answer and yet be unable to run anything, for instance inside another container.
runs() {
    check=lab/engine-check:$$
    files=$(ldd /bin/true | grep -o '/[^ ]*')
    # shellcheck disable=SC2086
    tar -chf - /bin/true $files 2>/dev/null | docker import - "$check" >/dev/null 2>>"$log" &&
        docker run --rm --network none "$check" /bin/true >>"$log" 2>&1
    code=$?
    docker rmi "$check" >/dev/null 2>&1
    return $code
}

: >"$log"
how="it answered already"
if ! answers; then
    [ -z "${DOCKER_HOST:-}" ] || no "none answers at DOCKER_HOST=$DOCKER_HOST."
    [ "$(id -u)" = 0 ] || no "none answers, and only root can install or start one."
    if ! command -v dockerd >/dev/null; then
        command -v apt-get >/dev/null || no "none answers, and this is not a Debian to install one on."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends docker.io; } >>"$log" 2>&1 ||
            no "docker.io could not be installed: $(tail -n 1 "$log")"
    fi
    how="Debian's, installed and started"
    if ! answers; then
        # A session of its own: it outlives this script, and Ctrl-C is not for it.
        setsid dockerd >>"$log" 2>&1 </dev/null &
        engine=$!
        tries=0
        until answers; do
            tries=$((tries + 1))
            if [ $tries -gt 150 ] || ! kill -0 $engine 2>/dev/null; then
                no "dockerd did not get ready: $(tail -n 1 "$log")"
            fi
            sleep 0.2
        done
    fi
fi
runs || no "one answers but cannot run a container: $(tail -n 1 "$log")"
echo "Docker engine: $(docker version --format '{{.Server.Version}}') ($how)"
