#!/bin/bash
# Kills a cluster of its own at many moments, and expects "up" to bring it up each time. Run by hand, as root, from the repository:
#   hack/cluster/crash.sh [STATE_DIRECTORY]     (by default /tmp/proa-crash; about eight minutes)
set -uo pipefail
export PROA_CLUSTER_DIR=${1:-/tmp/proa-crash}
program=$(mktemp -d)/cluster
go build -o "$program" ./hack/cluster || exit 1
trap '"$program" down; rm -rf "$(dirname "$program")"' EXIT
group=proa-$(printf %s "$PROA_CLUSTER_DIR" | sha256sum | cut -c1-8)

# The processes of the cluster: all, the shims of containers, and the servers without these.
all() { find /sys/fs/cgroup -path "*/$group/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un | grep -vx 0; }
shims() { for pid in $(all); do grep -qa '^[^ ]*containerd-shim' "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"; done; }
servers() { for name in "$PROA_CLUSTER_DIR"/run/*.json; do grep -o '"pid":[0-9]*' "$name" | cut -d: -f2; done; }
slay() { [ $# = 0 ] || kill -9 "$@" 2>/dev/null; }

# up WHAT: expects the cluster to come up, and tells how long it took and whether the data had to go.
up() {
  local begin=$EPOCHREALTIME log
  log=$(mktemp)
  if ! "$program" up >/dev/null 2>"$log"; then
    echo "FAILED: $1"; cat "$log"; exit 1
  fi
  echo "$1: up in $(echo "$EPOCHREALTIME - $begin" | bc)s$(grep -q 'starts from nothing' "$log" && echo ', from nothing')"
  rm -f "$log"
}

# interrupted DELAY: an "up" that is killed after the delay, and what it had started with it.
interrupted() {
  "$program" up >/dev/null 2>&1 &
  local pid=$!
  sleep "$1"
  slay $pid $(servers)
  wait $pid 2>/dev/null
}

for delay in 0.05 0.15 0.3 0.6 1 1.7 2.5 3.2 3.9 4.6 5.3 6.5 7.5; do
  "$program" down 2>/dev/null
  interrupted $delay
  up "first up killed after ${delay}s"
done
for delay in 0.05 0.2 0.5 1 1.5 2.5 3.5 4.5 5.5 6.5; do
  slay $(servers)
  interrupted $delay
  [ $((RANDOM % 2)) = 0 ] && slay $(shims)
  up "servers killed, next up killed after ${delay}s"
done
for _ in 1 2 3; do slay $(all); up "everything killed, containers too"; done
slay $(shims); up "shims killed"
slay $(servers); up "servers killed, shims left"
slay "$(cut -d: -f2 <<<"$(grep -o '"pid":[0-9]*' "$PROA_CLUSTER_DIR/run/mysql.json")")"; up "database killed"
slay $(all); truncate -s 1000 "$PROA_CLUSTER_DIR"/data/etcd/member/wal/*.wal; up "everything killed, etcd's log cut short"
slay $(all); rm "$PROA_CLUSTER_DIR/data/mysql/ibdata1"; up "everything killed, the database broken"
echo '{half' >"$PROA_CLUSTER_DIR/cluster.json"; up "facts cut short"
ip link delete "${group/-/}"; up "network link removed"
for delay in 0.02 0.1 0.15 0.2 0.25 0.3 0.4; do
  "$program" down 2>/dev/null &
  pid=$!; sleep $delay; slay $pid; wait $pid 2>/dev/null
  up "down killed after ${delay}s"
done
echo "1 passed, 0 failed"
