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
# NETLOOM_RAM_KIB (default here: 12) is the RAM an image gets, stack included.
set -euo pipefail
cd "$(dirname "$0")"
export NETLOOM_RAM_KIB=${NETLOOM_RAM_KIB:-12} PYTHONDONTWRITEBYTECODE=1

# Bytes each image may use: the goal for text, the ceiling for text, data + bss, stack; and the
# statics that must lie in .bss.
limits() {
    case $1 in
        frame-echo) echo "1896 1896 1536 1024 frame_echo::FRAME" ;;
        tcp-echo) echo "20480 48128 8192 4096 tcp_echo::FRAME tcp_echo::NET" ;;
        *) return 1 ;;
    esac
}
images=(frame-echo tcp-echo)

target=thumbv7m-none-eabi
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

skip() {
    echo "SKIP: $*"
}

# The first of several commands that exists; else says which package has it.
tool() {
    local package=$1 candidate
    shift
    for candidate in "$@"; do
        if command -v "$candidate"; then return; fi
    done
    echo "$1 is missing: apt-get install $package" >&2
    exit 2
}

# A toolchain with the target's `core`, or Debian's, which builds `core` from its sources.
choose_toolchain() {
    local core
    if core=$(rustc --print target-libdir --target "$target" 2>/dev/null) && [ -d "$core" ]; then
        echo "toolchain: $(rustc --version), $target installed"
        cargo=cargo
        return
    fi
    local debian=${NETLOOM_DEBIAN_RUST:-/usr}
    if [ -x "$debian/bin/rustc" ] && [ -x "$debian/bin/cargo" ] &&
        [ -d "$("$debian/bin/rustc" --print sysroot)/lib/rustlib/src/rust/library/core" ]; then
        cargo=$debian/bin/cargo
        # Building `core` is an unstable feature of a stable compiler.
        export RUSTC=$debian/bin/rustc RUSTC_BOOTSTRAP=1
        export CARGO_UNSTABLE_BUILD_STD=core
        export CARGO_UNSTABLE_BUILD_STD_FEATURES=compiler-builtins-mem
        # Debian's compiler comes without the linker that rustup's brings.
        CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER=$(tool lld ld.lld)
        export CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER
        echo "toolchain: $("$RUSTC" --version), building core"
        return
    fi
    echo "no toolchain for $target: rustup target add $target," \
        "or apt-get install rustc-web cargo-web rust-web-src lld" >&2
    exit 2
}

elf() {
    echo "target/$target/release/$1"
}

# Prints an image's sizes and where its statics lie, and compares both with the limits.
check_size() {
    local image=$1 goal ceiling ram_limit stack_limit statics text data bss static place
    read -r goal ceiling ram_limit stack_limit statics <<<"$(limits "$image")"
    read -r text data bss _ <<<"$("$size" "$(elf "$image")" | tail -n 1)"
    printf '%-12s %8d %6d %6d %10d   (limits: text %d, data+bss %d)\n' \
        "$image" "$text" "$data" "$bss" $((data + bss)) "$ceiling" "$ram_limit"
    if ((text > ceiling)); then fail "$image: text $text > $ceiling"; fi
    if ((text > goal)); then echo "    OVER ITS GOAL: text is $((text - goal)) bytes above $goal"; fi
    if ((data + bss > ram_limit)); then fail "$image: data+bss $((data + bss)) > $ram_limit"; fi
    for static in $statics; do
        # Type b: .bss. A static whose initial value is not all zero would be d, and in flash too.
        place=$("$nm" -C -S "$(elf "$image")" | awk -v s="$static" '$4 == s { print $3, "0x" $2 }')
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
        run_check 180 "$python" check/frame_echo.py "$(elf frame-echo)" "$nm" \
            "$(stack_limit frame-echo)"
    else
        skip "frame-echo: QEMU older than 7.2 has no -netdev stream"
    fi
    run_check 300 "$python" check/tcp_image.py user "$(elf tcp-echo)" "$nm" "$(stack_limit tcp-echo)"
    if reason=$(no_tap); then
        skip "tcp-echo over TAP: $reason"
    else
        run_check 300 "$python" check/tcp_image.py tap "$(elf tcp-echo)" "$nm" "$(stack_limit tcp-echo)"
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

size=$(tool binutils-arm-none-eabi arm-none-eabi-size llvm-size size)
nm=$(tool binutils-arm-none-eabi arm-none-eabi-nm llvm-nm nm)
choose_toolchain
for image in "${images[@]}"; do
    "$cargo" build --release --quiet -p "$image"
done

printf '%-12s %8s %6s %6s %10s\n' image text data bss data+bss
for image in "${images[@]}"; do
    check_size "$image"
done

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
