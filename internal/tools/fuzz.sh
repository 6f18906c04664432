#!/usr/bin/env bash
# Fuzzes every target of the repository, one after the other:
#
#	fuzz.sh 60s
#
# and fails if any of them failed.
set -euo pipefail
time=$1

# When the time is up, go test before 1.27 sometimes calls it a failure
# (go.dev/issue/75804): it says nothing but this, and wrote no input down.
only_time_is_up() {
	grep -q '^    context deadline exceeded$' "$1" &&
		! grep -qvE '^(fuzz: elapsed: .*|--- FAIL: Fuzz\w+ \(.*\)|    context deadline exceeded|exit status 1|FAIL(\s.*)?|)$' "$1"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=
while IFS=: read -r file target; do
	target=${target#func }
	echo "==> $(dirname "$file") $target"
	if ! go test -C "$(dirname "$file")" -run='^$' -fuzz="^$target\$" -fuzztime="$time" . </dev/null 2>&1 | tee "$log"; then
		if only_time_is_up "$log"; then
			echo "(go.dev/issue/75804: no failure)"
		else
			failed="$failed $target"
		fi
	fi
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go')

if [ -n "$failed" ]; then
	echo "failed:$failed" >&2
	exit 1
fi
