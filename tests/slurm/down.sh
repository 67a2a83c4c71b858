#!/usr/bin/env bash
# Stop what up.sh started: tests/slurm/down.sh STATE
set -uo pipefail
[ /etc/slurm/slurm.conf -ef "$1/slurm.conf" ] || exit 0
scancel --quiet --user="$(id -un)"
for name in slurmd slurmctld; do
    pid=$(cat "$1/$name.pid" 2>/dev/null) || continue
    kill "$pid"
    timeout 20 tail --pid="$pid" -f /dev/null
done
rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
