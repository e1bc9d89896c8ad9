"""The preprocessor of the book: makes pages of a repository the pages of a book.

The pages are written for the repository: docs/SUMMARY.md also names pages outside of docs/, and pages have links to files
that are no pages. In the book, `../SECURITY.md` is the page `SECURITY.md`, the README of a folder is its `index`, and a file
that is no page is below `files/`, where `site.py` copies it.
"""

import json
import pathlib
import posixpath
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r" *(```|~~~)")
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
LINK = re.compile(r"\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()\s]+)\)")


def in_repository(path):
    """Returns the path in the repository of a path that docs/SUMMARY.md names."""
    return posixpath.normpath(posixpath.join("docs", path))


def in_book(path):
    """Returns the path in the book of a page of the repository."""
    folder, name = posixpath.split(path.removeprefix("docs/"))
    return posixpath.join(folder, "index.md" if name == "README.md" else name)


def chapters(items):
    """Yields each chapter that has a page."""
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if chapter.get("path"):
                yield chapter
            yield from chapters(chapter["sub_items"])


def target(page, link, pages):
    """Returns the target in the book of a link on a page of the repository, or None if the book can't have it."""
    path, mark, heading = link.partition("#")
    if "://" in link or link.startswith("mailto:") or not path:
        return link
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    if path in pages:
        path = in_book(path)
    elif f"{path}/README.md" in pages:
        path = in_book(f"{path}/README.md")
    elif path == "docs/SUMMARY.md":
        # The book shows its contents on each page.
        return None
    elif (ROOT / path).is_file():
        path = path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"
    elif (ROOT / path).is_dir():
        return None
    else:
        raise SystemExit(f"{page}: {link} leads nowhere")
    return posixpath.relpath(path, posixpath.dirname(in_book(page)) or ".") + mark + heading


def converted(page, text, pages):
    """Returns the text of a page with its links in the book."""
    lines, fence = [], None
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if mark and fence in (None, mark.group(1)):
            fence = None if fence else mark.group(1)
        elif not fence:
            spans = [found.span() for found in CODE.finditer(line)]

            def changed(found):
                # A link may have code in its text, but no link begins in code.
                if any(begin < found.start() < end for begin, end in spans):
                    return found.group(0)
                to = target(page, found.group(2), pages)
                return found.group(1) if to is None else f"[{found.group(1)}]({to})"

            line = LINK.sub(changed, line)
        lines.append(line)
    return "\n".join(lines)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    all_chapters = list(chapters(book["items"]))
    pages = {in_repository(chapter["path"]) for chapter in all_chapters}
    for chapter in all_chapters:
        page = in_repository(chapter["path"])
        chapter["content"] = converted(page, chapter["content"], pages)
        chapter["path"] = in_book(page)
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
