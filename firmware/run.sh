#!/bin/bash
# Builds every image, holds its size against its limits, boots it in QEMU and talks to it.
#
#   ./run.sh          everything
#   ./run.sh sizes    build and sizes only
#
# A part that this machine cannot do is skipped aloud; a limit broken or a check failed ends the
# script with status 1, a missing tool with status 2. An image above its goal is named aloud, but
# fails only above its ceiling, a little above what it weighs today.
#
# NETLOOM_RAM_KIB (default here: 12, for dhcp-echo 16) is the RAM an image gets, stack included.
set -euo pipefail
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1
. ./toolchain.sh

# Bytes each image may use: the goal for text, the ceiling for text, data + bss, stack; and the
# statics that must lie in .bss.
limits() {
    case $1 in
        frame-echo) echo "1832 1832 1536 1024 frame_echo::FRAME" ;;
        tcp-echo) echo "20480 20480 7424 3072 tcp_echo::__cortex_m_rt_main_trampoline::FRAME tcp_echo::__cortex_m_rt_main_trampoline::NET" ;;
        dhcp-echo) echo "44928 44928 11776 4608 dhcp_echo::FRAME dhcp_echo::NET dhcp_echo::DHCP" ;;
        *) return 1 ;;
    esac
}
# KiB of RAM an image gets, its stack included.
ram() {
    case $1 in
        dhcp-echo) echo "${NETLOOM_RAM_KIB:-16}" ;;
        *) echo "${NETLOOM_RAM_KIB:-12}" ;;
    esac
}
images=(frame-echo tcp-echo dhcp-echo)

failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

skip() {
    echo "SKIP: $*"
}

# Prints an image's sizes and where its statics lie, and compares both with the limits.
check_size() {
    local image=$1 goal ceiling ram_limit stack_limit statics text data bss static place
    read -r goal ceiling ram_limit stack_limit statics <<<"$(limits "$image")"
    read -r text data bss _ <<<"$("$size" "$(small_elf "$image")" | tail -n 1)"
    printf '%-12s %8d %6d %6d %10d   (limits: text %d, data+bss %d)\n' \
        "$image" "$text" "$data" "$bss" $((data + bss)) "$ceiling" "$ram_limit"
    if ((text > ceiling)); then fail "$image: text $text > $ceiling"; fi
    if ((text > goal)); then echo "    OVER ITS GOAL: text is $((text - goal)) bytes above $goal"; fi
    if ((data + bss > ram_limit)); then fail "$image: data+bss $((data + bss)) > $ram_limit"; fi
    for static in $statics; do
        # Type b: .bss. A static whose initial value is not all zero would be d, and in flash too.
        place=$(symbols "$(small_elf "$image")" | awk -v s="$static" '$4 == s { print $3, "0x" $2 }')
        case $place in
            [bB]\ *) printf '    %s: %d bytes in .bss\n' "$static" "${place#* }" ;;
            *) fail "$image: $static is not in .bss (nm: ${place:-no such symbol})" ;;
        esac
    done
}

# Runs a check with a time limit. `timeout` ends only what it started; the checks themselves
# end their QEMU.
run_check() {
    local seconds=$1
    shift
    timeout --kill-after=5 "$seconds" "$@" || fail "$* (status $?)"
}

host_tests() {
    local host
    host=$(${RUSTC:-rustc} -vV | sed -n 's/^host: //p')
    # On the host nothing needs building but the driver and its model.
    env -u CARGO_UNSTABLE_BUILD_STD -u CARGO_UNSTABLE_BUILD_STD_FEATURES \
        "$cargo" test --quiet -p lan9118 --test driver --target "$host" || fail "the driver's own tests"
}

# The stack an image may use.
stack_limit() {
    limits "$1" | cut -d ' ' -f 4
}

boot() {
    if [ "$(printf '%s\n' 7.2 "$(qemu-system-arm --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')" |
        sort -V | head -n 1)" = 7.2 ]; then
        run_check 180 "$python" check/frame_echo.py "$(small_elf frame-echo)" "$nm" \
            "$(stack_limit frame-echo)"
    else
        skip "frame-echo: QEMU older than 7.2 has no -netdev stream"
    fi
    run_check 300 "$python" check/tcp_image.py user "$(small_elf tcp-echo)" "$nm" "$(stack_limit tcp-echo)"
    run_check 300 "$python" check/tcp_image.py dhcp "$(small_elf dhcp-echo)" "$nm" "$(stack_limit dhcp-echo)"
    if reason=$(no_tap); then
        skip "tcp-echo over TAP: $reason"
    else
        run_check 300 "$python" check/tcp_image.py tap "$(small_elf tcp-echo)" "$nm" "$(stack_limit tcp-echo)"
    fi
}

# Why there can be no TAP device in a namespace here; false if there can.
no_tap() {
    if [ "$(id -u)" != 0 ]; then
        echo "needs root"
    elif ! [ -c /dev/net/tun ]; then
        echo "no /dev/net/tun"
    elif ! command -v ip >/dev/null; then
        echo "no ip: apt-get install iproute2"
    elif ! command -v ping >/dev/null; then
        echo "no ping: apt-get install iputils-ping"
    else
        return 1
    fi
}

choose_toolchain
for image in "${images[@]}"; do
    NETLOOM_RAM_KIB=$(ram "$image") small "$image"
done

printf '%-12s %8s %6s %6s %10s\n' image text data bss data+bss
for image in "${images[@]}"; do
    check_size "$image"
done

./services.sh || fail 'the services'

if [ "${1:-all}" = all ]; then
    python=$(tool python3 python3)
    tool qemu-system-arm qemu-system-arm >/dev/null
    host_tests
    boot
fi

if ((failed)); then
    echo "firmware: FAILED"
    exit 1
fi
echo "firmware: ok"
