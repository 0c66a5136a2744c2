#!/usr/bin/env bash
# Lets systemd read our units as it would on a machine where the package is installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

for unit in "$root"/deploy/systemd/*.service; do
    # The program is not installed here; any other will do, since it is not started.
    sed 's|^ExecStart=/usr/bin/reeve|ExecStart=/bin/true|' "$unit" >"$copy/$(basename "$unit")"
done
# It warns on what it does not know and still exits 0, so anything it says is a failure.
said=$(systemd-analyze verify --man=no "$copy"/*.service 2>&1) || {
    printf '%s\n' "$said"
    exit 1
}
said=$(grep -F -e "$copy" -e reeve <<<"$said" || true)
if [[ -n $said ]]; then
    printf '%s\n' "$said"
    exit 1
fi
echo "units: $(find "$copy" -name '*.service' | wc -l) read, nothing to say"
