# Sourced by demo.sh and test.sh: makes the Python environment under the checkout, or reuses it.
#
#   use_environment PROFILE     PROFILE is `demo` or `test` (which includes demo); sets $PYTHON
#
# With a ROS 2 install sourced, its Python and its packages are used (.venv-$ROS_DISTRO, made with
# --system-site-packages); without one, the ROS 2 wheels of PyPI are installed (.venv).

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

use_environment() {
  local profile=$1 base constraints=() venv_options=() extras folder stamp
  base=$(command -v "${KD_SEG_PYTHON:-python3}") || fail "python3 was not found; install Python 3.10 or newer"
  "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$base" --version 2>&1) is too old; 3.10 or newer is needed (set KD_SEG_PYTHON to choose another)"

  extras=distill,demo
  [ "$profile" = test ] && extras=$extras,teachers,test
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
  stamp=$({ cat setup.py "${constraints[@]:1}"; echo "$wanted"; pwd; } | cksum)
  if [ -e "$folder" ]; then
    [ -f "$folder/pyvenv.cfg" ] || fail "$folder is not a Python environment: move it out of the way"
    found=$("$PYTHON" -c "$identity" 2>/dev/null) || found="its Python no longer works"
    if [ "$found" != "$wanted" ]; then
      say "replacing the environment in $folder: it belongs to another Python ($found)"
      rm -rf "$folder"
    fi
  fi
  if [ -x "$PYTHON" ]; then
    for done in "$profile" test; do
      if [ "$(cat "$folder/installed-$done" 2>/dev/null)" = "$stamp" ]; then
        say "using the environment in $folder"
        return
      fi
    done
  fi

  say "making the environment in $folder (with $("$base" --version 2>&1)${ROS_DISTRO:+ and ROS 2 $ROS_DISTRO})"
  "$base" -m venv "${venv_options[@]}" "$folder" ||
    fail "no environment could be made; on Debian and Ubuntu: apt install python3-venv"
  say "installing kd_seg_ros[$extras]: PyTorch is several GB, the first time takes minutes"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --upgrade pip
  "$PYTHON" -m pip install --quiet --disable-pip-version-check "${constraints[@]}" -e ".[$extras]" ||
    fail "the installation failed; its messages are above"
  printf '%s\n' "$stamp" >"$folder/installed-$profile"
}
