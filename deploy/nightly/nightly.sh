#!/bin/sh
# One night: make the run, judge it by the nights before, remove old runs, build the site.
#
# What may be set: BENCH (the command), SCENARIO (a file or a shipped name), REPORTS, SITE, SITE_CONFIG (a file),
# BASELINE, KEEP_DAYS, KEEP_RUNS, NIGHT. Further words go to `bench run`, such as --set load.sessions=12.
# NIGHT is a folder for the reports of this night alone, which a CI job shows: those of earlier nights are not its own.
#
# Exit code: that of `bench run` where it is not 0, else that of `bench gate`: 7 is a regression. The first nights have
# nothing to be judged by, which is no failure. Old runs are removed and the site is built in any case.
set -u

BENCH=${BENCH:-bench}
SCENARIO=${SCENARIO:-nightly}
REPORTS=${REPORTS:-reports}
SITE=${SITE:-site}
BASELINE=${BASELINE:-last:7}
KEEP_DAYS=${KEEP_DAYS:-90}
KEEP_RUNS=${KEEP_RUNS:-30}

mkdir -p "$REPORTS" || exit 2
SHOWN="report.html gate.html junit.xml gate-junit.xml summary.json gate.json"
if [ -n "${NIGHT:-}" ]; then
    mkdir -p "$NIGHT" || exit 2
    for file in $SHOWN; do rm -f "$NIGHT/$file"; done
fi
RUN="$REPORTS/$(date -u +%Y%m%dT%H%M%SZ)-nightly"

"$BENCH" run "$SCENARIO" --out "$RUN" "$@"
code=$?
if [ ! -f "$RUN/run.json" ]; then
    echo "nightly: no run was made (exit code $code)" >&2
    [ "$code" -ne 0 ] || code=70
    exit "$code"
fi

"$BENCH" gate "$RUN" --baseline "$BASELINE"
gate=$?
if [ "$code" -eq 0 ]; then
    case $gate in
        3) echo "nightly: nothing to judge by yet; the run itself passed" ;;
        *) code=$gate ;;
    esac
fi

for file in $SHOWN; do
    [ -z "${NIGHT:-}" ] || [ ! -f "$RUN/$file" ] || cp "$RUN/$file" "$NIGHT/"
done

# What fails below counts only where the night itself was good.
note() {
    [ "$code" -ne 0 ] || code=$1
}
"$BENCH" history prune "$REPORTS" --older-than "${KEEP_DAYS}d" --keep "$KEEP_RUNS" --yes || note $?
set -- "$REPORTS" --out "$SITE" --copy
[ -z "${SITE_CONFIG:-}" ] || set -- "$@" --config "$SITE_CONFIG"
"$BENCH" site "$@" || note $?
exit "$code"
