#!/usr/bin/env bash
# What `reeve completion bash` writes is bash, and completes verbs and flags.
#   tests/live/completion_test.sh build/release/reeve
set -euo pipefail
PATH=$(dirname "$(realpath "$1")"):$PATH
# shellcheck source=/dev/null
. <(reeve completion bash)
complete -p reeve >/dev/null

completed() { # "reeve WORD…" with the cursor at the last word
    # shellcheck disable=SC2034  # Read by the completion.
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _reeve
    printf '%s ' "${COMPREPLY[@]}"
}

expect() { # WANT WORD…
    local want=$1 got
    shift
    got=$(completed "$@")
    [[ $got == *"$want"* ]] || { echo "after '$*' came '$got', not $want" >&2 && exit 1; }
}

expect "stop " reeve sto
expect "--gpus " reeve run --gp
expect "drain " reeve node dr
for shell in zsh fish; do # Those that are here read theirs.
    if command -v "$shell" >/dev/null; then
        reeve completion "$shell" | "$shell" -n /dev/stdin
    fi
done
if command -v pwsh >/dev/null; then
    # shellcheck disable=SC2016  # PowerShell's own.
    reeve completion powershell | pwsh -NoProfile -Command '[scriptblock]::Create(($input | Out-String)) | Out-Null'
fi
echo "completion: ok"
