"""The figures as Markdown, and where the project's pages show them."""

from statistics import median

import goals
import quiet

MIB = 1 << 20


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def table(title, figures):
    """A row a command: medians, and sacker's ratio to it."""
    own = figures["sacker"]
    lines = [f"**{title[0].upper()}{title[1:]}**", "", "| | wall | least – most | CPU | memory | sacker is |", "|---|--:|--:|--:|--:|--:|"]
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
    """All of it. `rows` are triples of name, title and figures; `busy` has the reasons why a row, by its name, was taken
    on a busy machine."""
    parts = [machine, ""]
    parts += ["| sacker's | to | wanted | median ratio (least – greatest) | |", "|---|---|--:|--:|---|"]
    for name, title, figures in rows:
        parts += goal_lines(name, title, figures, busy.get(name))
    for name, title, figures in rows:
        parts += ["", table(title, figures)]
        if busy.get(name):
            parts += ["", f"Taken on a busy machine: {'; '.join(busy[name])}."]
    return "\n".join(parts) + "\n"


def put_between(path, marker, text):
    """Replaces what stands in a page between `<!-- marker -->` and `<!-- /marker -->`."""
    page = path.read_text()
    begin, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}{text}{end}{after}")
