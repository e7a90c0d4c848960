# Sourced by demo.sh and test.sh: makes the Python environment under the checkout, or reuses it.
#
#   use_environment PROFILE     sets $PYTHON; an environment of a larger profile serves a smaller one:
#     light                     masks, the ROS 2 node, videos and pages; no PyTorch, under 1 GB
#     full                      light, and training
#     test                      full, and what the tests need
#
# With a ROS 2 install sourced, its Python and its packages are used (.venv-$ROS_DISTRO, made with
# --system-site-packages); without one, the ROS 2 wheels of PyPI are installed (.venv).
# KD_SEG_PYTHON chooses another Python, KD_SEG_ONNXRUNTIME=cpu, gpu or openvino the build of ONNX Runtime.

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

has_distribution() { # has_distribution FOLDER NAME: whether that environment itself holds the distribution
  compgen -G "$1/lib/python*/site-packages/${2//-/_}-*.dist-info" >/dev/null
}

has_nvidia_gpu() { # of a kind that PyPI's GPU build of ONNX Runtime is for
  [ "$(uname -sm)" = "Linux x86_64" ] || return 1
  compgen -G "/dev/nvidia[0-9]*" >/dev/null || { nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }
}

onnxruntime_build() { # onnxruntime_build FOLDER: print cpu, gpu or openvino. One other than cpu that is there is kept.
  local chosen=${KD_SEG_ONNXRUNTIME:-}
  case $chosen in
    cpu | gpu | openvino) echo "$chosen" ;;
    "")
      if has_distribution "$1" onnxruntime-openvino; then echo openvino
      elif has_nvidia_gpu || has_distribution "$1" onnxruntime-gpu; then echo gpu
      else echo cpu
      fi ;;
    *) fail "KD_SEG_ONNXRUNTIME=$chosen: must be cpu, gpu or openvino" ;;
  esac
}

use_environment() {
  local profile=$1 base constraints=() venv_options=() extras size served folder stamp build wanted_build other
  local builds=(onnxruntime onnxruntime-gpu onnxruntime-openvino)
  base=$(command -v "${KD_SEG_PYTHON:-python3}") || fail "python3 was not found; install Python 3.10 or newer"
  "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$base" --version 2>&1) is too old; 3.10 or newer is needed (set KD_SEG_PYTHON to choose another)"

  case $profile in
    light) extras=demo size="under 1 GB" served="light full test" ;;
    full) extras=demo,distill,pretrained size="several GB with PyTorch" served="full test" ;;
    test) extras=demo,distill,pretrained,teachers,test size="several GB with PyTorch" served=test ;;
    *) fail "no environment '$profile': light, full or test" ;;
  esac
  if [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ]; then
    folder=.venv-$ROS_DISTRO
    venv_options=(--system-site-packages)
    [ -f "constraints/$ROS_DISTRO.txt" ] && constraints=(-c "constraints/$ROS_DISTRO.txt")
  else
    folder=.venv
    extras=$extras,ros
    [ "$profile" = test ] && extras=$extras,test-ros
  fi
  PYTHON=$PWD/$folder/bin/python

  # An environment belongs to the Python that made it: another one's would leave a mixture of both.
  # `ssl` is what such a mixture fails to import.
  local identity='import ssl, sys; print(sys.base_prefix, sys.version)' wanted found
  wanted=$("$base" -c "$identity") || fail "$base cannot import ssl: choose another Python by KD_SEG_PYTHON"
  if [ -e "$folder" ]; then
    [ -f "$folder/pyvenv.cfg" ] || fail "$folder is not a Python environment: move it out of the way"
    found=$("$PYTHON" -c "$identity" 2>/dev/null) || found="its Python no longer works"
    if [ "$found" != "$wanted" ]; then
      say "replacing the environment in $folder: it belongs to another Python ($found)"
      rm -rf "$folder"
    fi
  fi
  build=$(onnxruntime_build "$folder") || exit
  stamp=$({ cat setup.py "${constraints[@]:1}"; echo "$wanted $build"; pwd; } | cksum)
  if [ -x "$PYTHON" ]; then
    for done in $served; do
      if [ "$(cat "$folder/installed-$done" 2>/dev/null)" = "$stamp" ]; then
        say "using the environment in $folder"
        return
      fi
    done
  fi

  say "making the environment in $folder (with $("$base" --version 2>&1)${ROS_DISTRO:+ and ROS 2 $ROS_DISTRO})"
  "$base" -m venv "${venv_options[@]}" "$folder" ||
    fail "no environment could be made; on Debian and Ubuntu: apt install python3-venv"
  say "installing kd_seg_ros[$extras], ONNX Runtime for the ${build^^}: $size, only the first time"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --upgrade pip
  # The builds of ONNX Runtime hold the same files: one that is no longer wanted goes first, and so does what
  # it may have overwritten.
  wanted_build=onnxruntime-$build
  [ "$build" = cpu ] && wanted_build=onnxruntime
  for other in "${builds[@]}"; do
    if [ "$other" != "$wanted_build" ] && has_distribution "$folder" "$other"; then
      "$PYTHON" -m pip uninstall --quiet --yes "${builds[@]}" 2>/dev/null || true
      break
    fi
  done
  PYTHONWARNINGS=ignore KD_SEG_ONNXRUNTIME=$build "$PYTHON" -m pip install --quiet --disable-pip-version-check \
    "${constraints[@]}" -e ".[$extras]" || fail "the installation failed; its messages are above"
  printf '%s\n' "$stamp" >"$folder/installed-$profile"
}
