"""What sacker is to reach: a ratio of two figures of the same rounds, and the most that it may be."""

from dataclasses import dataclass
from statistics import median
from typing import Callable

from timing import ratio

MIB = 1 << 20


@dataclass
class Goal:
    row: str
    against: str
    most: float
    below: Callable  # of the figures of a row: what sacker's are divided by
    above: Callable = lambda figures: figures["sacker"].wall

    def reached(self, figures):
        return ratio(self.above(figures), self.below(figures))


def wall(name):
    return lambda figures: figures[name].wall


def cpu(name):
    return lambda figures: figures[name].cpu


def fastest(*names):
    """The tool that is the fastest by its median: the least of each round would be no tool's, but luck's."""
    return lambda figures: min((figures[name].wall for name in names), key=median)


def sum_of(*names):
    return lambda figures: [sum(runs) for runs in zip(*(figures[name].wall for name in names))]


def times(factor, name):
    return lambda figures: [factor * run for run in figures[name].wall]


def memory(figures):
    return figures["sacker"].memory


def seconds_of(most):
    return lambda figures: [most] * len(figures["sacker"].wall)


def bytes_of(most):
    return lambda figures: [most] * len(figures["sacker"].memory)


GOALS = (
    Goal("start", "5 ms", 1.0, seconds_of(0.005)),
    Goal("start", "10 ms, over TLS", 1.0, seconds_of(0.010), wall("sacker, TLS")),
    Goal("tag", "bare, the SDK", 1.3, wall("bare, the SDK")),
    Goal("tag", "bare", 1.3, wall("bare")),
    Goal("tag", "crane", 1.5, wall("crane")),
    Goal("tag", "aws", 1 / 20, wall("aws")),
    Goal("info", "bare, the SDK", 1.3, wall("bare, the SDK")),
    Goal("info", "bare", 1.3, wall("bare")),
    Goal("info", "crane, by tag", 1.5, wall("crane"), wall("sacker, by tag")),
    Goal("add", "bare, the SDK", 1.3, wall("bare, the SDK")),
    Goal("add", "bare", 1.3, wall("bare")),
    Goal("add", "oras", 1 / 2, wall("oras")),
    Goal("add-200", "s5cmd", 1.3, wall("s5cmd")),
    Goal("add-200", "10 × (aws × 20)", 1 / 10, times(10, "aws × 20")),
    Goal("upload", "floor + sha256", 1.1, sum_of("floor", "sha256")),
    Goal("upload", "the fastest of s5cmd, mc, aws", 1.0, fastest("s5cmd", "mc", "aws")),
    Goal("upload", "s5cmd, CPU", 0.6, cpu("s5cmd"), cpu("sacker")),
    Goal("upload", "64 MiB of memory", 1.0, bytes_of(64 * MIB), memory),
    Goal("download", "the faster of s5cmd and mc", 1.15, fastest("s5cmd", "mc")),
    Goal("download", "s5cmd and sha256, concurrently", 1.0, wall("s5cmd and sha256")),
    Goal("download", "oras", 0.7, wall("oras")),
    Goal("download", "itself without fsync", 1.3, wall("sacker, no fsync")),
    Goal("download", "64 MiB of memory", 1.0, bytes_of(64 * MIB), memory),
    Goal("re-add", "sha256", 1.1, wall("sha256")),
    Goal("re-add", "oras", 1.0, wall("oras")),
    Goal("list", "100 ms, first line", 1.0, seconds_of(0.1), wall("1,000,000, first line")),
    Goal("list", "10 × that of 100,000", 1.0, times(10, "100,000")),
    Goal("list", "64 MiB of memory", 1.0, bytes_of(64 * MIB), memory),
    Goal("list-dynamodb", "bare, the SDK", 1.3, wall("bare, the SDK")),
    Goal("list-dynamodb", "10 × that of 5,000", 1.0, times(10, "5,000")),
    Goal("versions", "100 ms, first line", 1.0, seconds_of(0.1), wall("1,000,000, first line")),
    Goal("versions", "10 × that of 100,000", 1.0, times(10, "100,000")),
    Goal("versions", "64 MiB of memory", 1.0, bytes_of(64 * MIB), memory),
    *(
        goal
        for row in ("narrow-up", "narrow-down")
        for goal in (
            Goal(row, "12 connections' worth", 1.0, seconds_of(256 * MIB / (12 * 10e6))),
            Goal(row, "64 MiB of memory", 1.0, bytes_of(64 * MIB), memory),
        )
    ),
    *(Goal(row, "curl, 32 connections", 1.25, wall("curl, 32 connections")) for row in ("far-up", "far-down")),
    # What is sent twice would take its time twice.
    *(Goal(row, "its bytes at 256 KiB/s", 1.1, seconds_of(160)) for row in ("slow-up", "slow-down")),
)


def of(row, figures):
    """The goals of a row that its figures can show."""
    for goal in GOALS:
        if goal.row == row:
            try:
                yield goal, *goal.reached(figures)
            except KeyError:
                continue  # that command is not on this machine
