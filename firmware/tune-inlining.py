#!/usr/bin/env python3
"""Looks for the inlining that makes an image the smallest, and writes inlining/IMAGE.txt.

    ./tune-inlining.py [--minutes 60] [--run 'nice -n 5'] [IMAGE]

The compiler guesses at each call whether inlining makes the program smaller. Here it is tried: for
every function, the other way than the compiler's (or than the file's line, which it begins with).
A build tries many functions at once, which no two share a function that holds them in the end: what
each did is told by the sizes of the functions around it. What looks good is then held against the
size of the whole image, together and, where that fails, in halves. It ends when nothing helps any
more, or when the time is over; the file is written after every step that helped.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Bytes of a call, and of what a function of its own needs at its begin and end; a guess above HOPE is
# not tried; fewer than TOGETHER are tried one by one.
CALL, FRAME, HOPE, TOGETHER = 6, 8, 12, 3
HEAD = """\
# Which functions are inlined in {image}, and which are not, where the compiler's own choice makes it
# larger: found by trying, with ../tune-inlining.py. `small` in ../toolchain.sh reads it. A line is an
# attribute of LLVM's and the function's path. One that names no function does no harm; after changes
# of the code the search may be repeated, from what is here.
"""


def functions(nm, elf):
    """The size of each function of a program, by the linker's name."""
    done = subprocess.run([nm, "-S", elf], check=True, capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwW":
            found[words[3]] = int(words[1], 16)
    return found


class Image:
    """An image, built again and again."""

    def __init__(self, name, prefix):
        self.name, self.prefix, self.builds = name, prefix, 0
        self.list = HERE / "inlining" / f"{name}.txt"
        # What `small` does with an empty list, and what it does it with.
        shown = self.shell(
            "choose_toolchain; small_names %s; names=$(small_dir)/names/$target/release/%s;"
            "small_attributes \"$names\" /dev/null | cut -d , -f 1 >\"$(small_dir)/names.txt\";"
            "\"$filt\" <\"$(small_dir)/names.txt\" | plain_paths >\"$(small_dir)/paths.txt\";"
            "set | grep -E '^(cargo|nm|size|target)='; env | grep -E '^(RUSTC|CARGO)' || true; echo dir=$(small_dir)"
            % (name, name))
        told = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        self.nm, self.size, self.cargo, self.target, where = (
            told.pop(k).strip("'") for k in ("nm", "size", "cargo", "target", "dir"))
        self.env = os.environ | told
        self.dir = HERE / where
        names = (self.dir / "names.txt").read_text().splitlines()
        paths = (self.dir / "paths.txt").read_text().splitlines()
        self.by_path = {}
        for symbol, path in zip(names, paths):
            self.by_path.setdefault(path, []).append(symbol)
        apart = self.cargo_build("apart", "-Cllvm-args=-inline-instr-cost=20000",
                                 "-Cllvm-args=-mergefunc-preserve-debug-info", "-Clink-arg=--icf=none")
        self.apart = functions(self.nm, apart)
        self.callers = self.calls(apart)

    def shell(self, script):
        return subprocess.run([*self.prefix, "bash", "-ec", ". ./toolchain.sh; " + script], cwd=HERE,
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    def cargo_build(self, folder, *flags):
        where = self.dir / folder
        out = where / self.target / "release"
        # Cargo does not see what changed in the file of attributes, but that what it built is gone.
        for old in out.glob("deps/*"):
            old.unlink()
        flags = ", ".join(f"'{flag}'" for flag in flags)
        command = [*self.prefix, self.cargo, "build", "--release", "--quiet", "--target-dir", str(where),
                   "--config", f"target.{self.target}.rustflags = [{flags}]", "-p", self.name]
        done = subprocess.run(command, cwd=HERE, env=self.env, capture_output=True, text=True)
        self.builds += 1
        return out / self.name if done.returncode == 0 else None

    def calls(self, elf):
        """Who calls a function or jumps to it, once for each place, nothing being inlined."""
        objdump = self.nm.replace("nm", "objdump")
        done = subprocess.run([objdump, "-d", "--no-show-raw-insn", elf], check=True,
                              capture_output=True, text=True)
        callers, here = {}, None
        for line in done.stdout.splitlines():
            if begin := re.match(r"[0-9a-f]+ <(.*)>:$", line):
                here = begin[1]
            elif (call := re.search(r"\tb[a-z.]*\s.*<([^+>]*)>", line)) and call[1] != here:
                callers.setdefault(call[1], []).append(here)
        return callers

    def build(self, attributes):
        """The text of the image with these attributes of paths, and its functions."""
        lines = []
        for path, symbols in self.by_path.items():
            for symbol in symbols:
                lines.append(f"{symbol},frame-pointer=none\n")
                if path in attributes:
                    lines.append(f"{symbol},{attributes[path]}\n")
        file = self.dir / "tuned.csv"
        file.write_text("".join(lines))
        elf = self.cargo_build("tuned", f"-Cllvm-args=-forceattrs-csv-path={file}")
        if elf is None:
            return None
        out = subprocess.run([self.size, elf], check=True, capture_output=True, text=True).stdout
        return int(out.splitlines()[-1].split()[0]), functions(self.nm, elf), self.calls(elf)

    def around(self, symbol, final):
        """Those that hold a function in the end: itself or, inlined, its callers or theirs."""
        seen, todo, holders = set(), [symbol], {symbol}
        while todo:
            for caller in self.callers.get(todo.pop(), ()):
                if caller in final:
                    holders.add(caller)
                elif caller not in seen:
                    seen.add(caller)
                    todo.append(caller)
        return holders


class Search:
    """The best attributes so far, and what is tried next."""

    def __init__(self, image, end):
        self.image, self.end = image, end
        self.best = self.read()
        built = image.build(self.best)
        if built is None:
            sys.exit("the image does not build")
        self.text, self.final, self.calls = built
        print(f"{len(image.by_path)} functions, {len(self.best)} lines: text {self.text}", flush=True)

    def read(self):
        lines = self.image.list.read_text().splitlines() if self.image.list.exists() else []
        pairs = (line.split(" ", 1) for line in lines if line and not line.startswith("#"))
        return {path: attribute for attribute, path in pairs if path in self.image.by_path}

    def write(self):
        lines = sorted(f"{attribute} {path}\n" for path, attribute in self.best.items())
        self.image.list.parent.mkdir(exist_ok=True)
        self.image.list.write_text(HEAD.format(image=self.image.name) + "".join(lines))

    def over(self):
        return time.monotonic() > self.end

    def other(self, path):
        """The other way for a function: without its line, or with one."""
        if path in self.best:
            return None
        there = any(symbol in self.final for symbol in self.image.by_path[path])
        return "alwaysinline" if there else "noinline"

    def with_moves(self, moves):
        attributes = dict(self.best)
        for path, attribute in moves.items():
            if attribute is None:
                attributes.pop(path, None)
            else:
                attributes[path] = attribute
        return attributes

    def guess(self, path):
        """What a function's other way may change, in bytes: by its size and where it is called."""
        symbols = self.image.by_path[path]
        if path in self.best:
            return 0
        size = sum(self.final.get(s, 0) for s in symbols)
        if size:
            places = sum(len(self.calls.get(s, ())) for s in symbols)
            return (places - 1) * size - CALL * places - FRAME if places else None
        size = max(self.image.apart.get(s, 0) for s in symbols)
        places = sum(len(self.image.callers.get(s, ())) for s in symbols)
        return CALL * places + FRAME - (places - 1) * size if size and places else None

    def candidates(self):
        """Functions worth trying, the most promising first, with those that hold them."""
        found = {}
        for path, symbols in self.image.by_path.items():
            guess = self.guess(path)
            if guess is not None and guess <= HOPE:
                around = set().union(*(self.image.around(s, self.final) for s in symbols))
                if len(around) > 1:
                    found[path] = guess, around
        return {path: found[path][1] for path in sorted(found, key=lambda path: found[path][0])}

    def score(self, left):
        """Tries functions together as long as enough of them have no holder in common."""
        scores = {}
        # What is found needs time to be taken.
        until = (time.monotonic() + self.end) / 2
        while left and time.monotonic() < until:
            batch, taken = {}, set()
            for path in sorted(left, key=lambda path: len(left[path])):
                if not left[path] & taken:
                    taken |= left[path]
                    batch[path] = self.other(path)
            if len(batch) < TOGETHER:
                break
            built = self.image.build(self.with_moves(batch))
            for path in batch:
                around = left.pop(path)
                if built:
                    scores[path] = self.change(path, around, built[1])
            good = sum(scores[path] for path in batch if scores.get(path, 0) < 0)
            print(f"  {len(batch)} tried at once, {len(left)} left: {good}", flush=True)
        return sorted((path for path in scores if scores[path] < 0), key=scores.get)

    def change(self, path, around, built):
        """The bytes by which the functions around one grew; 0 where that cannot be told."""
        own = self.image.by_path[path]
        # Where a holder goes by another name now, its size says nothing.
        if any((s in self.final) != (s in built) for s in around if s not in own):
            return 0
        # What the holders held, and is a function of its own now.
        out = {s for s in built if s not in self.final} - around
        moved = {s for s in out if self.image.around(s, built) & around}
        before = sum(self.final.get(s, 0) for s in around)
        return sum(built.get(s, 0) for s in around | moved) - before

    def take(self, paths):
        """Takes these functions' other ways if the image gets smaller, else halves of them."""
        if not paths or self.over():
            return 0
        moves = {path: self.other(path) for path in paths}
        built = self.image.build(self.with_moves(moves))
        gain = self.text - built[0] if built else 0
        if gain > 0:
            self.best = self.with_moves(moves)
            self.text, self.final, self.calls = built
            print(f"  {len(moves)} taken, {gain} bytes: text {self.text}: {paths[0]}", flush=True)
            self.write()
        elif len(paths) > 1:
            gain = self.take(paths[::2]) + self.take(paths[1::2])
        return max(gain, 0)

    def run(self):
        while not self.over():
            left = self.candidates()
            print(f"{len(left)} to try", flush=True)
            gain = self.take(self.score(left))
            for path in left:
                gain += self.take([path])
            if not gain:
                break
        print(f"{self.image.builds} builds, {len(self.best)} lines: text {self.text}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image", nargs="?", default="tcp-echo")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--run", default="", help="what each build's command begins with")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    Search(Image(options.image, shlex.split(options.run)), end).run()


if __name__ == "__main__":
    main()
