# shellcheck shell=bash
# What the scripts of this folder build with; they source it.

target=thumbv7m-none-eabi

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
    size=$(tool binutils-arm-none-eabi arm-none-eabi-size llvm-size size)
    nm=$(tool binutils-arm-none-eabi arm-none-eabi-nm llvm-nm nm)
    filt=$(tool binutils-arm-none-eabi arm-none-eabi-c++filt llvm-cxxfilt c++filt)
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
    echo "${CARGO_TARGET_DIR:-target}/$target/release/$1"
}

# Takes the hashes of crates from demangled names.
plain_paths() {
    sed 's/\[[0-9a-f]\{8,\}\]//g'
}

# The symbols of a program by their paths: address, size, type, path.
symbols() {
    "$nm" -C -S "$1" | plain_paths
}

# Where `small` leaves what it builds.
small_dir() {
    echo "${CARGO_TARGET_DIR:-target}/small"
}

small_elf() {
    echo "$(small_dir)/$target/release/$1"
}

# Builds a package with attributes for its functions, which LLVM takes from a file by their names.
# The names come from a first build's notes for debuggers, which have those of what was inlined, too.
#
# - frame-pointer=none: the compiler's target wants frame pointers in every function, for debuggers,
#   and no flag takes them away: they cost one of the eight registers that short instructions
#   reach, and 4 % of the text.
# - What inlining/PACKAGE.txt says, if there is one. A line that names no function is passed over.
small() {
    local package=$1 attributes file
    small_names "$@"
    attributes=$(small_attributes "$(small_dir)/names/$target/release/$package" "inlining/$package.txt")
    # Called by what is in it, so that cargo sees when it changes.
    file=$(cksum <<<"$attributes")
    file=$(cd "$(small_dir)" && pwd)/names/${file%% *}.csv
    echo "$attributes" >"$file"
    # LLVM remarks on every name of another crate.
    small_build . "'-Cllvm-args=-forceattrs-csv-path=$file'" "$@" 2>&1 |
        { grep -v '^Function in CSV file at line' || true; } >&2
}

# The first build, in which no two functions are made one.
small_names() {
    small_build names "'-Cllvm-args=-mergefunc-preserve-debug-info', '-Clink-arg=--icf=none'" "$@"
}

# Builds a package with some flags more, in a folder of `small`'s.
small_build() {
    local folder=$1 flags=$2
    shift 2
    "$cargo" build --release --quiet --target-dir "$(small_dir)/$folder" \
        --config "target.$target.rustflags = [$flags]" -p "$@"
}

# A line for each attribute of each function of a program, by the names the linker knows. The list
# has the names without what differs from build to build.
small_attributes() {
    local list=$2 names
    [ -f "$list" ] || list=/dev/null
    names=$({
        LC_ALL=C grep -aoE '\b_(ZN|R)[A-Za-z0-9_.$]+' "$1"
        "$nm" "$1" | awk '$2 ~ /^[tT]$/ && $3 !~ /^OUTLINED/ { print $3 }'
    } | sort -u)
    paste <(echo "$names") <("$filt" <<<"$names" | plain_paths) | awk -F '\t' -v list="$list" '
        BEGIN {
            while ((getline line <list) > 0) {
                if (line ~ /^(#|$)/) continue
                name = line
                sub(/^[^ ]+ /, "", name)
                attribute[name] = substr(line, 1, index(line, " ") - 1)
                lines++
            }
        }
        {
            print $1 ",frame-pointer=none"
            if ($2 in attribute) {
                print $1 "," attribute[$2]
                if (!seen[$2]++) used++
            }
        }
        END {
            if (lines) print list ": " used + 0 " of " lines " lines name a function" >"/dev/stderr"
        }'
}
