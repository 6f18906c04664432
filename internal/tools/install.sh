#!/bin/sh
# Installs what the tests need beside Go, where it is missing, through apt or
# brew:
#
#	install.sh gcc redis-server chromium nodejs
#
# With CI=true something that cannot be had is an error. Elsewhere it is a
# note, and the tests that need it skip.
set -eu

# have NAME: is there a command that does the work of NAME?
have() {
	case $1 in
	chromium)
		for browser in chromium chromium-browser google-chrome google-chrome-stable; do
			command -v "$browser" >/dev/null && return
		done
		test -d "/Applications/Google Chrome.app" || test -d /Applications/Chromium.app
		;;
	gcc) command -v "${CC:-gcc}" >/dev/null || command -v cc >/dev/null ;;
	nodejs) command -v node >/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# as_root COMMAND...: only a person at a terminal is asked for a password.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq "$@"
}

missing=
for name; do
	have "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"

if command -v apt-get >/dev/null; then
	packages=$(echo "$missing" | sed 's/\<gcc\>/gcc libc6-dev/')
	# shellcheck disable=SC2086 # one word per package
	if apt_install update; then
		apt_install install -y --no-install-recommends $packages >/dev/null || true
	fi
elif command -v brew >/dev/null; then
	for name in $missing; do
		case $name in
		redis-server) brew install redis || true ;;
		chromium) brew install --cask chromium || true ;;
		nodejs) brew install node || true ;;
		esac
	done
fi

status=0
for name in $missing; do
	if ! have "$name"; then
		echo "not installed: $name" >&2
		[ "${CI:-}" != true ] || status=1
	fi
done
exit $status
