#!/usr/bin/env bash
# A study as an array of SLURM jobs, each with a store of its own; then one job that merges them and writes the report.
#
#   job=$(sbatch --parsable --array=1-16 slurm_array.sh reproduce figure1 --data cifar10:$HOME/cifar10)
#   sbatch --dependency=afterany:$job slurm_array.sh reproduce figure1 --data cifar10:$HOME/cifar10
#
# The second job also trains what the first ones lack, as where one of them failed. A job that is killed, or that is out of
# time, goes on where it was when it is submitted again. Give all jobs as many cores, so that they split the plan alike.
#SBATCH --job-name=byrote
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --requeue
set -euo pipefail

if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
    # Array tasks are numbered from 1, as shards are. `exec`, so that SIGTERM reaches byrote, which keeps what is finished.
    exec byrote "$@" --out "shards/$SLURM_ARRAY_TASK_ID" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
fi
# Code 3 says that something was left out, and names it: what is then missing is trained below.
byrote merge shards/* --into merged.db || [[ $? == 3 ]]
exec byrote "$@" --out report --store merged.db
