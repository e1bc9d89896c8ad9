"""Whole processes, timed by hyperfine: in a round one run of each, so that a drift of the machine cancels."""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median


@dataclass
class Figures:
    """What the runs of one command took, in the order of the rounds."""

    wall: list = field(default_factory=list)  # seconds
    cpu: list = field(default_factory=list)  # seconds, of the process and its children
    memory: list = field(default_factory=list)  # bytes, the high-water mark of the largest process


@dataclass
class Timer:
    hyperfine: Path
    rounds: int

    def row(self, row):
        """Times the commands of a row, and returns the figures of each by its name."""
        figures = {}
        # The first round warms caches and connections of servers up, and is not counted.
        rounds = row.rounds or self.rounds
        for number in range(1 if row.rounds else 0, rounds + 1):
            print(f"  {row.name}: round {number} of {rounds}", file=sys.stderr)
            commands = row.commands(number)
            # In another order in each round, so that none always runs in the wake of the same one.
            for name in Random(f"{row.name} {number}").sample(list(commands), len(commands)):
                wall, cpu, memory = row.run(commands[name]) or self.once(commands[name])
                if number > 0:
                    kept = figures.setdefault(name, Figures())
                    kept.wall.append(wall)
                    kept.cpu.append(cpu)
                    kept.memory.append(memory)
            row.after()
        return {name: figures[name] for name in commands}

    def once(self, command):
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            settle()
            hyperfine = [self.hyperfine, "--shell=none", "--runs=1", "--style=none", "--output=null"]
            run = subprocess.run(
                [*hyperfine, f"--export-json={report.name}", shlex.join(map(str, command))],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            if run.returncode != 0:
                again = subprocess.run(command, capture_output=True, text=True)
                sys.exit(f"failed: {shlex.join(map(str, command))}\n{run.stderr}{again.stdout}{again.stderr}")
            result = json.load(report)["results"][0]
            return result["mean"], result["user"] + result["system"], result["memory_usage_byte"][0]


def settle():
    """Waits until nothing is left to be done of what ran before: written back, deleted, collected. At most a minute."""
    import psutil  # only where something is timed: the rest of this is tested without it

    subprocess.run(["sync"], check=True)
    deadline, quiet = time.monotonic() + 60, 0
    while quiet < 3 and time.monotonic() < deadline:
        written = psutil.disk_io_counters().write_bytes
        busy = psutil.cpu_percent(interval=0.1)  # of all cores together
        quiet = quiet + 1 if busy < 10 and psutil.disk_io_counters().write_bytes - written < 1 << 20 else 0


def ratio(above, below):
    """Of two lists of figures of the same rounds: the median of their ratios, and the least and the greatest."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    return median(ratios), ratios[0], ratios[-1]
