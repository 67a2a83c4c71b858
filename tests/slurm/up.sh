#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests/slurm: as root, without systemd and cgroups.
#   tests/slurm/up.sh STATE     start; refuses where /etc/slurm has a configuration of its own
#   tests/slurm/down.sh STATE   stop, and take the configuration away again
# Debian: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
set -euo pipefail

state=$(mkdir -p "$1" && realpath "$1")
host=$(hostname -s)
conf=/etc/slurm/slurm.conf # jobs look nowhere else: Snakemake's Slurm plugin keeps SLURM_CONF from them
if [ -e $conf ] && [ ! -L $conf ]; then
    echo "$conf is not of these tests: this machine has a Slurm already" >&2
    exit 1
fi
mkdir -p "$state"/{ctld,slurmd}

# Who a user is: munge, whose key the package has made.
if ! munge -n >/dev/null 2>&1; then
    install -d -o munge -g munge -m 755 /run/munge
    runuser -u munge -- /usr/sbin/munged
    timeout 10 sh -c 'until munge -n >/dev/null 2>&1; do sleep 0.1; done'
fi

cat >"$state/gres.conf" <<CONF
NodeName=$host Name=gpu File=/dev/tty[0-1]
CONF
# Without cgroups, memory is watched by polling (OverMemoryKill); a real cluster's ConstrainRAMSpace kills at once.
cat >"$state/slurm.conf" <<CONF
ClusterName=crossz
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=0,bf_interval=1,batch_sched_delay=0
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/slurmd
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
MinJobAge=3600
KillWait=5
OverTimeLimit=0
# Maybe more processors than there are, since one job asks for eight.
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo) Gres=gpu:2
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

mkdir -p /etc/slurm
ln -sf "$state/slurm.conf" "$state/gres.conf" /etc/slurm/

running() { kill -0 "$(cat "$state/$1.pid" 2>/dev/null)" 2>/dev/null; }
running slurmctld || slurmctld -c
running slurmd || slurmd
timeout 20 sh -c 'until sinfo -h -o %T 2>/dev/null | grep -qE "idle|mixed|allocated"; do sleep 0.1; done'
