"""Completes a built book, and checks it: copies the files that its pages link to, and looks for dead links.

site.py FOLDER
"""

import html.parser
import pathlib
import posixpath
import shutil
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Page(html.parser.HTMLParser):
    """The links of a page, and the anchors that it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name) and tag != "base"]


def main():
    site = pathlib.Path(sys.argv[1])
    files = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.is_file()}
    pages = {name: Page(path.read_text()) for name, path in files.items() if name.endswith(".html")}
    checked, dead = 0, []
    for name, page in sorted(pages.items()):
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            checked += 1
            to = posixpath.normpath(posixpath.join(posixpath.dirname(name), urllib.parse.unquote(parts.path)))
            to = to if parts.path else name
            if to.startswith("files/") and to not in files:
                files[to] = site / to
                files[to].parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / to.removeprefix("files/"), files[to])
            anchor = urllib.parse.unquote(parts.fragment)
            if to not in files or anchor and to in pages and anchor not in pages[to].anchors:
                dead.append(f"{name}: {link}")
    print(f"{site}: {len(pages)} pages, {checked} links, {len(dead)} of them dead")
    if dead or checked < 1000:
        sys.exit("\n".join(dead) or "the links were not found")


if __name__ == "__main__":
    main()
