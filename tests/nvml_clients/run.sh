#!/usr/bin/env bash
# run.sh VENV SIM_STATE LIBRARY_FOLDER
# Runs nvidia-ml-py and nvitop on simulated GPUs. Puts both into VENV, once.
# Exits with 77 (skipped), saying why, if PyPI cannot be reached.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# != 3)); then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
venv=$1 sim_state=$2 library_folder=$3

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    log=$venv/pip.log
    if ! "$venv/bin/pip" install --disable-pip-version-check --retries 1 --timeout 15 \
        -r "$here/requirements.txt" >"$log" 2>&1; then
        if grep -qE 'NewConnectionError|Connect(ion|Timeout)|ReadTimeout|ProxyError|name resolution' "$log"; then
            echo "skipped: PyPI cannot be reached: $(grep -m1 -oE '(NewConnectionError|Connect|ReadTimeout|ProxyError|Temporary).*' "$log")"
            exit 77
        fi
        cat "$log" >&2
        exit 1
    fi
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

LD_LIBRARY_PATH=$library_folder exec "$venv/bin/python" -B "$here/check.py" "$sim_state"
