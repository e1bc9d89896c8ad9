"""The plots of the project's pages."""

import json
from statistics import median

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# The same figures are to give the same file.
plt.rcParams.update({"svg.hashsalt": "sacker", "svg.fonttype": "none", "font.size": 9, "figure.dpi": 100})
OURS, THEIRS, FLOOR = "#d9480f", "#868e96", "#ced4da"
REFERENCES = ("floor", "sha256", "bare", "bare, the SDK")


def color(name):
    if name.startswith("sacker"):
        return OURS
    return FLOOR if name in REFERENCES else THEIRS


def bars(rows, path, title):
    """A panel a task, a bar a command: the median of the wall time, with the least and the most."""
    height = sum(len(figures) for _, _, figures in rows) * 0.24 + len(rows) * 0.55
    figure, panels = plt.subplots(
        len(rows),
        figsize=(7.2, height),
        squeeze=False,
        gridspec_kw={"height_ratios": [len(figures) + 1 for _, _, figures in rows]},
        layout="constrained",
    )
    for (_, task, figures), panel in zip(rows, panels[:, 0], strict=True):
        names = sorted(figures, key=lambda name: median(figures[name].wall))
        middle = [median(figures[name].wall) for name in names]
        spread = [
            [at - min(figures[name].wall) for at, name in zip(middle, names)],
            [max(figures[name].wall) - at for at, name in zip(middle, names)],
        ]
        panel.barh(names, middle, xerr=spread, color=[color(name) for name in names], ecolor="#495057", capsize=2)
        for index, at in enumerate(middle):
            text = f"{at * 1000:.0f} ms" if at < 1 else f"{at:.2f} s"
            panel.annotate(text, (max(figures[names[index]].wall), index), (5, 0), textcoords="offset points", va="center")
        panel.set_title(task, loc="left", fontsize=9, fontweight="bold")
        panel.set_xlabel("")
        panel.margins(x=0.14)
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value * 1000:.0f} ms" if value < 1 else f"{value:g} s")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def growth(rows, path):
    figure, panel = plt.subplots(figsize=(7.2, 2.8), layout="constrained")
    for (name, _, figures), style in zip(rows, ("o-", "s--")):
        sizes = {"1,000,000" if it == "sacker" else it: it for it in figures if "line" not in it}
        points = sorted((int(size.replace(",", "")), median(figures[it].wall)) for size, it in sizes.items())
        panel.loglog(*zip(*points), style, color=OURS, label=f"sacker {name}")
    panel.set_xlabel("entries")
    panel.set_ylabel("seconds")
    panel.legend(frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Listing an embedded ledger, whole processes", fontsize=10)
    save(figure, path)


def contention(lines, path):
    figure, (rate, tries) = plt.subplots(1, 2, figsize=(7.2, 2.8), layout="constrained")
    writers = [line["writers"] for line in lines]
    rate.plot(writers, [100 * line["share_of_solo"] for line in lines], "o-", color=OURS)
    rate.set_ylabel("% of what one client reaches")
    rate.set_ylim(0, None)
    tries.plot(writers, [line["attempts"] / line["adds"] for line in lines], "o-", color=OURS)
    tries.set_ylabel("transactions sent an addition")
    tries.set_ylim(0, None)
    for panel in (rate, tries):
        panel.set_xscale("log", base=2)
        panel.set_xticks(writers, [str(it) for it in writers])
        panel.set_xlabel("writers of one package")
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Contended additions on DynamoDB Local", fontsize=10)
    save(figure, path)


def save(figure, path):
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw(rows, folder, results):
    folder.mkdir(exist_ok=True)
    small = [row for row in rows if row[0] in ("tag", "info", "add")]
    large = [row for row in rows if row[0] in ("upload", "download", "re-add")]
    if small:
        bars(small, folder / "small.svg", "Small commands, whole processes (the shorter the better)")
    if large:
        bars(large, folder / "large.svg", "1 GiB, whole processes (the shorter the better)")
    listings = [row for row in rows if row[0] in ("list", "versions")]
    if listings:
        growth(listings, folder / "listings.svg")
    kept = results / "contention.jsonl"
    if kept.exists():
        contention([json.loads(line) for line in kept.read_text().splitlines()], folder / "contention.svg")
