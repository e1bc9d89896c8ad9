#!/usr/bin/env python3
"""The program of the data source `external` in main.tf: reads a query on stdin, and prints a version as strings.

    echo '{"package":"app","spec":"live"}' | python3 version.py

Query: `package`; optional: `spec` (live), `ledger` and `store` (URLs; by default, as sacker is configured), `program`
(sacker). On a failure, it prints nothing on stdout and the reason on stderr, and exits with the exit code of sacker.
"""

import json
import os
import subprocess
import sys

NAMES = ("package", "spec", "ledger", "store", "program")


class Failure(Exception):
    """A failure, and the exit code that says so."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def read(stream):
    """Returns the query, without the values that are empty."""
    try:
        query = json.load(stream)
    except ValueError as error:
        raise Failure(2, f"the query is no JSON: {error}") from error
    if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
        raise Failure(2, "the query must be an object of strings")
    unknown = sorted(set(query) - set(NAMES))
    if unknown:
        raise Failure(2, f"the query has unknown names: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    query = {name: value for name, value in query.items() if value}
    if "package" not in query:
        raise Failure(2, "the query has no package")
    return query


def ask(query):
    """Returns what sacker prints about the version, as strings."""
    command = [query.get("program", "sacker"), "info", "--json", "--quiet"]
    for name in ("ledger", "store"):
        if name in query:
            command += [f"--{name}={query[name]}"]
    command += ["--", query["package"], query.get("spec", "live")]
    try:
        done = subprocess.run(
            command, env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError as error:
        raise Failure(2, f"{command[0]} can't be run: {error.strerror}; install sacker where Terraform runs") from error
    if done.returncode != 0:
        # A process that a signal has ended has a negative code.
        raise Failure(done.returncode if done.returncode > 0 else 1, reason(done.stderr.decode(errors="replace")))
    try:
        return flat(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(1, f"{command[0]} has not printed a version as JSON") from error


def reason(printed):
    """Returns the message and the hint of an error that sacker has printed as JSON, or else what it has printed."""
    lines = []
    for line in printed.splitlines():
        try:
            error = json.loads(line)["error"]
            lines += [error["message"]] + ([f"hint: {error['hint']}"] if error.get("hint") else [])
        except (ValueError, KeyError, TypeError):
            lines.append(line)
    return "\n".join(lines) or "sacker has printed no reason"


def flat(found):
    """Returns the fields as strings; one that is unknown is empty, and the labels are JSON."""
    names = ("package", "version", "sha256", "size", "filename", "state", "message", "added_at", "added_by", "rev")
    texts = {name: "" if found.get(name) is None else str(found[name]) for name in names}
    return {**texts, "labels": json.dumps(found["labels"], sort_keys=True)}


def main():
    try:
        answer = ask(read(sys.stdin))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.code
    print(json.dumps(answer, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
