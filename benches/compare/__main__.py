"""Compares sacker with its peers, as whole processes, and writes the results into the project's pages.

Called by `benches/run`, which builds and installs what it needs and starts the servers.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path

import plot
import quiet
import report
from rows import ROWS, Work
from servers import Servers
from timing import Figures, Timer

PROJECT = Path(__file__).parent.parent.parent
RESULTS = PROJECT / "benches/results"
BUSY = RESULTS / "busy.json"


def machine(servers):
    def version(*command):
        return subprocess.run(command, capture_output=True, text=True, env=servers.environment()).stdout.split("\n")[0]

    peers = [(servers.peers / f"bin/{peer}.version").read_text().split() for peer in ("s5cmd", "mc", "crane", "oras")]
    named = ", ".join(f"{module.rsplit('/', 1)[-1] if 'v2' not in module else 's5cmd'} {tag}" for module, tag in peers)
    return (
        f"{date.today()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, client and servers on the "
        f"same machine; {named}, {version('aws', '--version').split()[0]}."
    )


def timed(options, work, timer):
    for row in ROWS:
        if options.rows and row.name not in options.rows:
            continue
        figures = timer.row(row(work))
        print(report.table(row.title, figures), file=sys.stderr)
        file = RESULTS / f"{row.name}.json"
        before = walls(kept_figures(file)) if file.exists() and row.name not in read_busy() else None
        reasons = quiet.why_busy(walls(figures), before)
        for reason in reasons:
            print(f"  {row.name}: taken on a busy machine: {reason}", file=sys.stderr)
        busy = read_busy() | {row.name: reasons}
        kept = {name: asdict(it) for name, it in figures.items()}
        file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        BUSY.write_text(json.dumps({name: it for name, it in busy.items() if it}, indent=1, ensure_ascii=False) + "\n")


def walls(figures):
    return {name: it.wall for name, it in figures.items()}


def kept_figures(file):
    return {name: Figures(**it) for name, it in json.loads(file.read_text()).items()}


def read_busy():
    """Why each row that was taken on a busy machine was."""
    return json.loads(BUSY.read_text()) if BUSY.exists() else {}


def main():
    parser = argparse.ArgumentParser(prog="benches/run", description="Compares sacker with its peers.")
    parser.add_argument("--rounds", type=int, default=7, help="counted runs of each command (default 7)")
    names = [row.name for row in ROWS]
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"only these: {', '.join(names)} (default: all)")
    parser.add_argument("--peers", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.rows) - set(names):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PROJECT / "target") as folder:
        servers = Servers(options.peers, Path(folder))
        os.environ.update(servers.environment())
        os.chdir(folder)
        registry, address = servers.start_registry()
        try:
            release = PROJECT / "target/release"
            work = Work(release / "sacker", release / "examples/bare", servers, address, Path(folder))
            work.run(work.sacker, "init")
            timed(options, work, Timer(options.peers / "bin/hyperfine", options.rounds))
        finally:
            registry.kill()
            registry.wait()
        (RESULTS / "machine.txt").write_text(machine(servers) + "\n")
    write()


def write():
    """Writes the pages and the plots from what was kept, of this time and of earlier ones."""
    rows = []
    for row in ROWS:
        kept = RESULTS / f"{row.name}.json"
        if kept.exists():
            rows.append((row.name, row.title, kept_figures(kept)))
    text = report.page(rows, (RESULTS / "machine.txt").read_text().strip(), read_busy())
    report.put_between(PROJECT / "docs/speed.md", "figures", text)
    plot.draw(rows, PROJECT / "docs/plots", RESULTS)


if __name__ == "__main__":
    main()
