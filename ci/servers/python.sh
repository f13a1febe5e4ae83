# find_python VERSION: prints a Python of that version ("3.11", or "3" for any)
# that can make virtual environments; as root on Debian it installs one if necessary.
find_python() {
  local candidate try
  for try in 1 2; do
    for candidate in "python$1" "/usr/bin/python$1" python3 /usr/bin/python3; do
      usable_python "$candidate" "$1" && command -v "$candidate" && return 0
    done
    [ "$try" = 1 ] && apt_install python3-venv || break
  done
  die "Python $1 with its venv module is missing; install it"
}

usable_python() {
  "$1" -c '
import sys, venv, ensurepip
wanted = tuple(int(part) for part in sys.argv[1].split("."))
sys.exit(sys.version_info[: len(wanted)] != wanted)' "$2" 2>/dev/null
}

# working VENV: makes once install a virtual environment of the cache again if
# the Python that it was made with is gone.
working() {
  "$cache/$1/bin/python" -c '' 2>/dev/null || rm -f "$(dirname "$cache/$1")/.complete"
}
