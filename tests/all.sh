#!/bin/bash
# All tests, part by part. A few that fail are run once more, by themselves, and told of at the end: with both cores busy for a quarter of an
# hour a real server is late now and then, while a defect is there again. Both turns' traces are in the output.
set -uo pipefail
cd "$(dirname "$0")/.."
readonly FEW=5 CACHE=.venv/pytest
failed=() late=()

part() {
    local name=$1 ended=0
    shift
    echo "-- $name"
    rm -rf "$CACHE"
    set -- .venv/bin/pytest -o "cache_dir=$CACHE" "$@"
    "$@" || ended=$?
    if [ "$ended" = 1 ] && [ "$(grep -c '::' "$CACHE/v/cache/lastfailed")" -le "$FEW" ]; then
        echo "-- $name: what failed, once more"
        "$@" --last-failed --last-failed-no-failures=none --numprocesses=0 && ended=0 && late+=("$name")
    fi
    [ "$ended" = 0 ] || failed+=("$name")
}

part pure --numprocesses=auto --dist=worksteal tests/unit tests/simulation
part servers --numprocesses=2 --dist=loadfile --ignore=tests/unit --ignore=tests/simulation --ignore=tests/faults --ignore=tests/containers
part faults tests/faults
[ ${#late[@]} = 0 ] || echo "passed only when it was run once more, by itself (see above): some of ${late[*]}" >&2
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
