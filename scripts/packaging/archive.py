"""Writes a folder as a tar that has the same bytes wherever and whenever it is made.

    archive.py FOLDER SECONDS OUTPUT [PREFIX]

SECONDS is the time of all files, PREFIX the folder in the tar that they are in. An OUTPUT that ends with .gz is compressed.
A file named FOLDER.owners, with lines `PATH MODE UID`, sets what is not 755, 644 and root.
"""

import gzip
import os
import sys
import tarfile


def owners(folder):
    try:
        with open(folder.rstrip("/") + ".owners", encoding="utf-8") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        return {}
    return {path: (int(mode, 8), int(uid)) for path, mode, uid in lines}


def paths(folder):
    for at, folders, files in os.walk(folder):
        folders.sort()
        for name in folders + sorted(files):
            yield os.path.relpath(os.path.join(at, name), folder)


def write(folder, seconds, output, prefix):
    own = owners(folder)
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(paths(folder)):
            real = os.path.join(folder, path)
            entry = tar.gettarinfo(real, os.path.join(prefix, path))
            is_program = entry.isdir() or os.access(real, os.X_OK)
            mode, uid = own.pop(path, (0o755 if is_program else 0o644, 0))
            entry.mode, entry.uid, entry.gid = mode, uid, uid
            entry.uname = entry.gname = ""
            entry.mtime = seconds
            if entry.isreg():
                with open(real, "rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    if own:
        sys.exit(f"not in {folder}: {', '.join(own)}")


def main():
    folder, seconds, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    prefix = sys.argv[4] if len(sys.argv) > 4 else ""
    with open(output, "wb") as raw:
        if output.endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as compressed:
                write(folder, seconds, compressed, prefix)
        else:
            write(folder, seconds, raw, prefix)


main()
