"""Formats the figures as Markdown, and writes them into the project's pages."""

from statistics import median

import goals
import quiet

MIB = 1 << 20


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def table(title, figures):
    """One row for each command: its medians, and the ratio of sacker's time to its time."""
    own = figures["sacker"]
    lines = [f"**{title[0].upper()}{title[1:]}**", "", "| | wall | least – most | CPU | memory | ratio of sacker |", "|---|--:|--:|--:|--:|--:|"]
    for name, it in figures.items():
        memory = median(it.memory) / MIB
        times, *_ = goals.ratio(own.wall, it.wall)
        lines.append(
            f"| {name} | {seconds(median(it.wall))} | {seconds(min(it.wall))} – {seconds(max(it.wall))} "
            f"| {seconds(median(it.cpu))} | {f'{memory:.0f} MiB' if memory else '–'} "
            f"| {'' if name == 'sacker' else f'{times:.2f} ×'} |"
        )
    return "\n".join(lines)


def goal_lines(row, title, figures, busy):
    for goal, middle, least, greatest in goals.of(row, figures):
        verdict = quiet.verdict(middle, goal.most, busy)
        yield (
            f"| {title} | {goal.against} | ≤ {goal.most:.2f} | {middle:.2f} ({least:.2f} – {greatest:.2f}) | {verdict} |"
        )


def page(rows, machine, busy):
    """The whole block. `rows` are triples of name, title and figures; `busy` has the reasons why a row, by its name, was
    measured on a busy machine."""
    parts = [machine, ""]
    parts += ["| row of sacker | compared with | goal | median ratio (least – greatest) | result |", "|---|---|--:|--:|---|"]
    for name, title, figures in rows:
        parts += goal_lines(name, title, figures, busy.get(name))
    for name, title, figures in rows:
        parts += ["", table(title, figures)]
        if busy.get(name):
            parts += ["", f"Measured on a busy machine: {'; '.join(busy[name])}."]
    return "\n".join(parts) + "\n"


def put_between(path, marker, text):
    """Replaces the text of a page between `<!-- marker -->` and `<!-- /marker -->`."""
    page = path.read_text()
    begin, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}{text}{end}{after}")
