# shellcheck shell=bash
# Sourced by run, test, bench and .ci/run: named steps with a time limit each, a log each, and a
# closing table. A step that fails stops nothing by itself; `steps_end` fails at the end.
#
#   step NAME LIMIT_S COMMAND...    runs it; its output goes to build/logs/NAME.log
#   steps_end                       prints the table; "N passed, N failed" is its last line

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
mkdir -p "$logs"

# A clone elsewhere finds what this one compiled: no absolute path takes part in a hash.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

steps_rows=()
steps_failed=0
tests_passed=0
tests_failed=0

# Adds the closing lines of ctest, of unittest and of another `steps_end` in the log $1 to the sums.
count_tests() {
    local passed failed
    read -r passed failed < <(awk '
        /tests passed, [0-9]+ tests? failed out of [0-9]+/ {
            for (i = 1; i <= NF; i++) if ($i == "tests" && $(i+1) == "passed,") bad = $(i+2)
            total = $NF; failed += bad; passed += total - bad
        }
        /^Ran [0-9]+ tests? in / { unittest = $2 }
        /^OK( \(|$)/ { passed += unittest; unittest = 0 }
        /^FAILED \(/ { n = 0; s = $0; while (match(s, /(failures|errors)=[0-9]+/)) {
                split(substr(s, RSTART, RLENGTH), kv, "="); n += kv[2]; s = substr(s, RSTART + RLENGTH) }
            failed += n; passed += unittest - n; unittest = 0 }
        /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
        END { print passed + 0, failed + 0 }' "$1")
    ((tests_passed += passed, tests_failed += failed)) || true
}

step() {
    local name=$1 limit_s=$2 log=$logs/$1.log start=$SECONDS rc=0 word=ok
    shift 2
    printf '==> %s\n' "$name"
    timeout --kill-after=20 "$limit_s" "$@" >"$log" 2>&1 </dev/null || rc=$?
    count_tests "$log"
    case $rc in
        0) ;;
        124 | 137) word="took over ${limit_s} s" ;;
        *) word="failed ($rc)" ;;
    esac
    if ((rc != 0)); then
        ((++steps_failed))
        tail -n 120 "$log" | sed 's/^/    /'
        printf '    (all of it: %s)\n' "$log"
    else
        grep -E 'tests passed, |^Ran [0-9]+ tests? |^note: ' "$log" | sed 's/^/    /' || true
    fi
    printf '    %s in %d s\n' "$word" $((SECONDS - start))
    steps_rows+=("$(printf '%6d s  %-24s %s' $((SECONDS - start)) "$name" "$word")")
    return "$rc"
}

# Says why something is not done here. It counts neither as passed nor as failed.
skip_step() {
    printf '==> %s\n    not done: %s\n' "$1" "$2"
    steps_rows+=("$(printf '%6s    %-24s not done: %s' - "$1" "$2")")
}

steps_end() {
    printf '\n'
    printf '%s\n' "${steps_rows[@]}"
    printf '%6d s  in all\n\n' "$SECONDS"
    if ((steps_failed > 0 && tests_failed == 0)); then
        ((tests_failed += steps_failed))  # A step that failed with no test in it has to show too.
    fi
    printf '%d passed, %d failed\n' "$tests_passed" "$tests_failed"
    ((steps_failed == 0))
}
