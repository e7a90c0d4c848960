#!/usr/bin/env bash
# Accuracy against time: trains five networks on CamVid with one schedule, measures them, and draws the plot of
# docs/models.md. What is done already is kept, and a run that was interrupted is resumed. Meant for a GPU: there it
# takes hours, on a CPU weeks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -ne 1 ]; then
  echo "usage: scripts/pareto.sh DATA    DATA: folder of CamVid, {train,val}/{images,labels}" >&2
  exit 2
fi
networks=(swiftnet_resnet18 swiftnet_mobilenetv4_conv_medium pidnet_s fpn_lite_small fpn_lite_nano)
runs=()
for network in "${networks[@]}"; do
  run=runs/pareto/pareto_$network
  runs+=("$run/last.metrics.json")
  [ -f "$run/last.metrics.json" ] && continue
  resume=()
  [ -f "$run/last.ckpt" ] && resume=(--resume)
  [ -f "$run/trained" ] || kd_seg fit --config "pareto_$network" --data.root "$1" "${resume[@]}"
  touch "$run/trained"
  # The state after the last step: the best of several would be chosen on the images that it is judged on.
  kd_seg evaluate --model "$run/last.ckpt" --root "$1"
done
[ -f runs/pareto/speeds.json ] ||
  kd_seg benchmark --suite models --networks "${networks[@]}" --json >runs/pareto/speeds.json
kd_seg report "${runs[@]}" --speeds runs/pareto/speeds.json --out runs/pareto/report --pareto docs/images/pareto.svg
