# Passes on what the tests print, without the test runner's own lines, and adds them up.

# The runner's verdicts; what failed is passed on.
/^running [0-9]+ tests?$/ { next }
/^test result: ok\./ { tests += $4; next }
/^test result: FAILED\./ { tests += $4; failed += $6; print; next }
/^test .* \.\.\. ok$/ { next }
/^(ok)?$/ { next }
# One test at a time, the runner begins the line before the test does.
{ sub(/^test [^ ]+ \.\.\. /, "") }
/\.\.\. Passed --/ {
    parts += 1
    # Until 2021: bare figures.
    if ($4 != "time") { seconds += $4; rpcs += $6 }
    for (i = 1; i < NF; i++) {
        if ($i == "time") { seconds += $(i + 1) }
        if ($i == "#RPCs") { rpcs += $(i + 1) }
    }
}
{ print; fflush() }

END {
    verdict = failed ? "FAIL" : "PASS"
    line = sprintf("%s: %d tests passed, %d failed", verdict, tests, failed)
    if (parts) { line = line sprintf("; %.1f s of cluster time, %d RPCs", seconds, rpcs) }
    print line
    if (failed) { exit 1 }
}
