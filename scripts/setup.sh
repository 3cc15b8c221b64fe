#!/usr/bin/env bash
# All set-up of a checkout: Java, virtual environment, pinned packages, Spark's settings, models.
# Called by make; running it again is cheap. PYTHON, VENV: see the Makefile.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 2; }
can_apt() { [ "$(id -u)" = 0 ] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null; }
apt_install() { say "installing $*"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null; }

java_bin=java
[ -n "${JAVA_HOME:-}" ] && java_bin="$JAVA_HOME/bin/java"
java_major() { "$java_bin" -version 2>&1 | sed -nE 's/.*version "(1\.)?([0-9]+).*/\2/p' | head -n 1; }
if [ "$(java_major || true)" -ge 17 ] 2>/dev/null; then
    :
elif [ -n "${JAVA_HOME:-}" ]; then
    stop "JAVA_HOME=$JAVA_HOME holds no Java 17 or 21; point it at one, or unset it"
elif can_apt; then
    apt_install openjdk-17-jre-headless
else
    stop "Java 17 or 21 is needed: install it (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)"
fi

"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' ||
    stop "Python 3.11 or 3.12 is needed, $PYTHON is $("$PYTHON" -V 2>&1); call make PYTHON=python3.11"
if ! [ -x "$VENV/bin/pip" ]; then
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        can_apt || stop "the module venv is needed: install it (Debian, Ubuntu: apt-get install python3-venv)"
        apt_install python3-venv
    fi
    say "virtual environment in $VENV"
    "$PYTHON" -m venv "$VENV"
fi
"$VENV/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
say "packages (7 GB with torch and vLLM; a few minutes the first time)"
"$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --require-hashes -r requirements/all.txt
"$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --no-deps -e .

# spark-submit of this environment finds Delta and this interpreter by itself.
spark_home=$("$VENV/bin/python" -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')
mkdir -p "$spark_home/conf"
"$VENV/bin/curation" spark-defaults --python >"$spark_home/conf/spark-defaults.conf"

say "model SmolLM2-135M (converted once, then cached)"
"$VENV/bin/python" -m curation.model_store smollm2-135m >/dev/null
say "done"
