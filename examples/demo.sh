#!/bin/sh
# A whole rollover in half a minute: name servers, a mail server and a sender of mail on loopback, beside a careless renewal.
#
#   examples/demo.sh            live in the terminal
#   examples/demo.sh --json     only the figures, as one JSON object
#
# Needs Python 3.11 and, the first time, a package index. No root. Everything goes into .demo beside this repository's files
# (or $TLSA_MANAGER_DEMO; in $XDG_CACHE_HOME where the repository cannot be written) and can be removed at any time.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() { printf 'demo.sh: %s\n' "$*" >&2; }
give_up() { say "error: $1"; say "hint: $2"; exit 1; }

where() {
    if [ -n "${TLSA_MANAGER_DEMO:-}" ]; then printf '%s\n' "$TLSA_MANAGER_DEMO"
    elif [ -w "$root" ]; then printf '%s\n' "$root/.demo"
    else printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/tlsa-manager-demo"
    fi
}

# The newest Python that is new enough.
find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    give_up "no Python 3.11 or newer is on PATH" "install it, for example: apt-get install python3 python3-venv"
}

# Debian keeps pip's seed (ensurepip) in a package of its own.
make_venv() {
    python=$(find_python)
    rm -rf "$venv"
    mkdir -p "$(dirname -- "$venv")"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$venv"; then return; fi
        if command -v virtualenv >/dev/null && virtualenv --quiet --python "$python" "$venv"; then return; fi
        if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
            say "installing Debian's python3-venv, without which Python cannot make an environment"
            { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install python3-venv; } </dev/null >&2 || true
        fi
    fi
    "$python" -m venv "$venv" ||
        give_up "this Python cannot make a virtual environment" "on Debian and Ubuntu: apt-get install python3-venv, then try again"
}

pip() {
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then "$venv/bin/python" -m pip "$@"
    else "$(find_python)" -m pip --python "$venv/bin/python" "$@"
    fi
}

# From a copy, so that building leaves nothing in the repository.
install() (
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    trap 'exit 1' HUP INT TERM
    cp -R "$root/pyproject.toml" "$root/README.md" "$root/LICENSE" "$root/tlsa_manager" "$copy/"
    pip install --quiet --disable-pip-version-check "$copy[demo]" </dev/null >&2
)

venv=$(where)
wanted=$(cd "$root" && find pyproject.toml tlsa_manager -type f ! -name '*.pyc' -exec cksum {} + | sort | cksum)
stamp=$venv/installed
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing tlsa-manager into $venv; the next time it starts at once"
    "$venv/bin/python" -c '' 2>/dev/null || make_venv
    install || give_up "pip could not install tlsa-manager" "see its message above; it needs a package index"
    printf '%s\n' "$wanted" >"$stamp"
fi
exec "$venv/bin/python" -P -m tlsa_manager demo "$@"
