"""What is timed: a row a task, in which every command does the same for its own tool."""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import BUCKET, PART, Servers

GIB = 1 << 30


@dataclass
class Work:
    """Where the commands work, and with what."""

    sacker: Path
    bare: Path  # a process that makes the same round trips and nothing else
    servers: Servers
    registry: str
    folder: Path

    def run(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.folder).stdout

    def aws(self, service, *words):
        url = self.servers.dynamodb_url if service == "dynamodb" else self.servers.s3_url
        return ["aws", "--endpoint-url", url, service, *words]

    def yardstick(self, command, table, *words, sdk=True):
        """A process that makes the same requests and nothing else; it writes under keys of its own."""
        secret = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        program = self.bare.parent / "bare_sdk" if sdk else self.bare
        return [program, command, self.servers.dynamodb_url, self.servers.region, table, *secret, *words]

    def yardsticks(self, command, *words):
        """Without a client library, and with that of sacker."""
        bare, sdk = (self.yardstick(command, "sacker", *words, sdk=sdk) for sdk in (False, True))
        return {"bare": bare, "bare, the SDK": sdk}

    def s5cmd(self, *words):
        return ["s5cmd", "--log", "error", *words]

    def oras(self, verb, *words):
        return ["oras", verb, "--plain-http", "--no-tty", *words]

    def file(self, name, size):
        """A file of random bytes."""
        path = self.folder / name
        with path.open("wb") as file, open("/dev/urandom", "rb") as random:
            while size > 0:
                size -= file.write(random.read(min(size, 1 << 20)))
        return path

    def change(self, path):
        """Makes it a file that no server has seen."""
        with path.open("r+b") as file:
            file.write(os.urandom(16))


class Row:
    """A task. `commands` gives what is to be run in a round, by name; what it prepares for that is not timed."""

    name = ""
    title = ""
    rounds = None  # where each run takes so long that there are fewer, and none that is not counted

    def __init__(self, work: Work):
        self.work = work
        self.prepare()

    def prepare(self):
        pass

    def commands(self, number):
        raise NotImplementedError

    def after(self):
        pass

    def run(self, command):
        """Runs a command that times itself: seconds of wall time and of CPU, and bytes, 0 if unknown. Else None."""
        return None


class Tag(Row):
    name = "tag"
    title = "put a tag on a version"

    def prepare(self):
        work = self.work
        for number in (1, 2):
            file = work.file("small", 4096)
            work.run(work.sacker, "add", "tagged", file)
            work.run(*work.oras("push", f"{work.registry}/tagged:v{number}", file.name))

    def commands(self, number):
        work, version = self.work, str(1 + number % 2)
        item = json.dumps({"k": {"S": "tagged/live"}, "version": {"N": version}})
        return {
            "sacker": [work.sacker, "tag", "tagged", version, "live"],
            **work.yardsticks("tag", "tagged", version, "live"),
            "crane": ["crane", "tag", "--insecure", f"{work.registry}/tagged:v{version}", "live"],
            "aws": work.aws("dynamodb", "put-item", "--table-name", "peers", "--item", item),
        }


class Info(Row):
    name = "info"
    title = "say what a version is"

    def prepare(self):
        work = self.work
        file = work.file("small", 4096)
        work.run(work.sacker, "add", "asked", file, "--tag", "live")
        work.run(*work.oras("push", f"{work.registry}/asked:live", file.name))

    def commands(self, number):
        work = self.work
        key = json.dumps({"k": {"S": "tagged/live"}})
        return {
            "sacker": [work.sacker, "info", "asked", "1"],
            "sacker, by tag": [work.sacker, "info", "asked", "live"],
            **work.yardsticks("info", "asked", "1"),
            "crane": ["crane", "digest", "--insecure", f"{work.registry}/asked:live"],
            "aws": work.aws("dynamodb", "get-item", "--table-name", "peers", "--consistent-read", "--key", key),
        }


class Add(Row):
    name = "add"
    title = "add 4 KiB"

    def commands(self, number):
        work = self.work
        file = work.file("small", 4096)
        return {
            "sacker": [work.sacker, "add", "added", file],
            **work.yardsticks("add", "added", file, work.servers.s3_url, "sacker/blobs"),
            "oras": work.oras("push", "--disable-path-validation", f"{work.registry}/added:v{number}", file),
            "s5cmd": work.s5cmd("cp", file, f"s3://{BUCKET}/s5cmd-{number}"),
            "aws": work.aws("s3", "cp", "--quiet", file, f"s3://{BUCKET}/aws-{number}"),
        }


class Start(Row):
    """From the start to the first byte that is sent, by a listener that then kills the command: the median of 20."""

    name = "start"
    title = "start, to the first byte sent"
    times = 20

    def run(self, command):
        """Returns the time that the program prints, which leaves out the time until the command is killed."""
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        assert status == 0, command
        wall = float(re.search(r"median ([\d.]+) ms", printed)[1]) / 1000
        # What the system says of memory is that of this program, which started it.
        return wall, (usage.ru_utime + usage.ru_stime) / self.times, 0

    def commands(self, number):
        work = self.work
        ledger = "dynamodb://ledger?region=us-east-1&endpoint"

        def first_byte(*command):
            return [work.bare.parent / "first_byte", str(self.times), *command]

        sacker = [work.sacker, "info", "app", "1", "--store", f"file://{work.folder}/none", "--ledger"]
        return {
            "sacker": first_byte(*sacker, ledger + "=http://{}"),
            "sacker, TLS": first_byte(*sacker, ledger + "=https://{}"),
            "crane": first_byte("crane", "digest", "--insecure", "{}/app:live"),
            "s5cmd": first_byte("s5cmd", "--endpoint-url", "http://{}", "ls", "s3://bucket"),
        }


class AddMany(Row):
    name = "add-200"
    title = "add 200 × 4 KiB, a process each"
    count = 200
    by_aws = 20  # the rest is reckoned

    def commands(self, number):
        work = self.work
        folder = work.folder / "many"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for index in range(self.count):
            work.file(f"many/{index:03}", 4096)

        def each(command, pattern="*"):
            return ["sh", "-c", f"set -e; for f in {folder}/{pattern}; do {command}; done"]

        s3 = work.servers.s3_url
        return {
            "sacker": each(f'{work.sacker} add many "$f"'),
            "s5cmd": each(f's5cmd --log error cp "$f" s3://{BUCKET}/many/'),
            "aws × 20": each(f'aws --endpoint-url {s3} s3 cp --quiet "$f" s3://{BUCKET}/many/', "0[01]*"),
        }


class Large(Row):
    """A task with 1 GiB of random bytes."""

    size = GIB

    def prepare(self):
        self.large = self.work.file("large", self.size)

    def sha256(self):
        return ["openssl", "dgst", "-sha256", self.large]


class Upload(Large):
    name = "upload"
    title = "add 1 GiB"

    def commands(self, number):
        work = self.work
        work.change(self.large)
        return {
            "sacker": [work.sacker, "add", "uploaded", self.large],
            "floor": self.floor(),
            "sha256": self.sha256(),
            "s5cmd": work.s5cmd("cp", self.large, f"s3://{BUCKET}/s5cmd"),
            "mc": ["mc", "--quiet", "cp", self.large, f"bench/{BUCKET}/mc"],
            "aws": work.aws("s3", "cp", "--quiet", self.large, f"s3://{BUCKET}/aws"),
            "oras": work.oras("push", "--disable-path-validation", f"{work.registry}/uploaded:v", self.large),
        }

    def floor(self):
        """The same bytes in parts, sent by one curl, eight at a time; cut up before."""
        folder = self.work.folder / "parts"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.work.run("split", "-b", str(PART), str(self.large), f"{folder}/")
        parts = sorted(folder.iterdir())
        urls = self.work.servers.presigned_parts("floor", len(parts))
        return curl(folder, [f'upload-file = "{part}"\nurl = "{url}"' for part, url in zip(parts, urls, strict=True)])

    def after(self):
        self.work.servers.empty()


class Download(Large):
    name = "download"
    title = "download 1 GiB"

    def prepare(self):
        super().prepare()
        work = self.work
        work.run(work.sacker, "add", "fetched", self.large, "--tag", "live")
        work.run(*work.oras("push", "--disable-path-validation", f"{work.registry}/fetched:v", str(self.large)))
        work.run(*work.s5cmd("cp", str(self.large), f"s3://{BUCKET}/fetched"))
        self.folder = work.folder / "fetched"

    def commands(self, number):
        work, folder, key = self.work, self.folder, f"s3://{BUCKET}/fetched"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "floor").mkdir(parents=True)
        sacker = [work.sacker, "download", "fetched", "live", "-o"]
        commands = {
            "sacker": [*sacker, folder / "sacker"],
            "floor": self.floor(folder / "floor"),
            "s5cmd": work.s5cmd("cp", key, folder / "s5cmd"),
            "s5cmd and sha256": self.verified(work.s5cmd("cp", key, folder / "s5cmd-verified")),
            "mc": ["mc", "--quiet", "cp", f"bench/{BUCKET}/fetched", folder / "mc"],
            "aws": work.aws("s3", "cp", "--quiet", key, folder / "aws"),
            "oras": work.oras("pull", "--allow-path-traversal", "-o", folder / "oras", f"{work.registry}/fetched:v"),
        }
        if eatmydata := shutil.which("eatmydata"):
            commands["sacker, no fsync"] = [eatmydata, *sacker, folder / "unsynced"]
        return commands

    def verified(self, fetch):
        """A fetch that verifies nothing, and at the same time the sha256 of as many bytes that are in memory already: the
        least that a fetch takes that verifies, if the hash never has to wait for a byte."""
        both = f"{shlex.join(map(str, self.sha256()))} & {shlex.join(map(str, fetch))} && wait $!"
        return ["sh", "-c", both]

    def floor(self, folder):
        """The same bytes in ranges, fetched by one curl, eight at a time, and left in pieces."""
        url = self.work.servers.presigned("get_object", Key="fetched")
        ranges = [f"{start}-{start + PART - 1}" for start in range(0, self.size, PART)]
        return curl(folder, [f'range = {it}\noutput = "{folder}/{it}"\nurl = "{url}"' for it in ranges])

    def after(self):
        shutil.rmtree(self.folder)


class AddAgain(Large):
    name = "re-add"
    title = "add 1 GiB that is there"

    def prepare(self):
        super().prepare()
        self.commands(0)
        work = self.work
        for command in self.commands(0).values():
            work.run(*command)

    def commands(self, number):
        work = self.work
        return {
            "sacker": [work.sacker, "add", "again", self.large],
            "sha256": self.sha256(),
            "oras": work.oras("push", "--disable-path-validation", f"{work.registry}/again:v", self.large),
        }


class Listing(Row):
    """A ledger on this machine's disk, with ever more in it. Seeded once, and kept for the next time."""

    what = ""
    sizes = (1_000, 10_000, 100_000, 1_000_000)

    def prepare(self):
        work = self.work
        self.ledgers = {}
        for size in self.sizes:
            folder = work.servers.peers / f"seeded-{self.what}-{size}"
            self.ledgers[size] = here = ["--ledger", f"file://{folder}", "--store", f"file://{folder}"]
            if (folder / "complete").exists():
                continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            work.run(work.sacker, "add", "first", work.file("small", 4096), *here)
            work.run(work.bare.parent / "seed", f"file://{folder}", self.what, str(size))
            (folder / "complete").touch()

    def ask(self, size):
        raise NotImplementedError

    def commands(self, number):
        most = self.ask(self.sizes[-1])
        lists = {f"{size:,}": self.ask(size) for size in self.sizes[:-1]}
        return {"sacker": most, **lists, "1,000,000, first line": ["sh", "-c", 'exec "$@" | head -n 1', "sh", *most]}


class List(Listing):
    name = "list"
    title = "list 1,000,000 packages of an embedded ledger"
    what = "packages"

    def ask(self, size):
        return [self.work.sacker, "list", *self.ledgers[size]]


class ListRemote(Row):
    """As `List`, on DynamoDB Local: each ledger a new, seeded table."""

    name = "list-dynamodb"
    title = "list 50,000 packages of a ledger on DynamoDB Local"
    sizes = (500, 5_000, 50_000)

    def prepare(self):
        work = self.work
        file = work.file("small", 4096)
        for size in self.sizes:
            work.run(work.sacker, "init", *self.ledger(size))
            work.run(work.sacker, "add", "first", file, *self.ledger(size))
            work.run(work.bare.parent / "seed", self.ledger(size)[1], "packages", str(size))

    def ledger(self, size):
        servers, folder = self.work.servers, f"file://{self.work.folder}/store-{size}"
        url = f"dynamodb://packages-{size}?region={servers.region}&endpoint={servers.dynamodb_url}"
        return ["--ledger", url, "--store", folder]

    def commands(self, number):
        asked = {f"{size:,}": [self.work.sacker, "list", *self.ledger(size)] for size in self.sizes}
        most = asked.pop(f"{self.sizes[-1]:,}")
        bare = self.work.yardstick("list", f"packages-{self.sizes[-1]}", "-")
        return {"sacker": most, "bare, the SDK": bare, **asked}


class Versions(Listing):
    name = "versions"
    title = "list 1,000,000 versions of an embedded ledger"
    what = "versions"

    def ask(self, size):
        return [self.work.sacker, "versions", f"v{size}", *self.ledgers[size]]


class Linked(Row):
    """A transfer over a link of a given shape (`benches/link.rs`) to the store; the ledger is reached directly."""

    size = 256 << 20
    link = ()

    def prepare(self):
        servers, program = self.work.servers, self.work.bare.parent / "link"
        to = servers.s3_url.removeprefix("http://")
        # It ends when its stdin does, at the latest with this program.
        self.proxy = subprocess.Popen([program, "--to", to, *self.link], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.proxy.stdout.readline().strip()
        self.file = self.work.file("linked", self.size)
        self.store = ["--store", f"s3://sacker/blobs?region={servers.region}&endpoint={self.url}"]

    def s5cmd(self, *words):
        return ["s5cmd", "--log", "error", "--endpoint-url", self.url, *words]

    def aws(self, *words):
        return ["aws", "--endpoint-url", self.url, "s3", "cp", "--quiet", *words]


class LinkedUp(Linked):
    def commands(self, number):
        self.work.change(self.file)
        return {"sacker": [self.work.sacker, "add", "linked", self.file, *self.store]}

    def after(self):
        self.work.servers.empty()


class LinkedDown(Linked):
    def prepare(self):
        super().prepare()
        self.work.run(self.work.sacker, "add", "linked", self.file, "--tag", "live")
        self.work.run(*self.work.s5cmd("cp", str(self.file), f"s3://{BUCKET}/linked"))
        self.folder = self.work.folder / "linked-down"

    def commands(self, number):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return {"sacker": [self.work.sacker, "download", "linked", "live", "-o", self.folder / "sacker", *self.store]}

    def after(self):
        shutil.rmtree(self.folder)


NARROW = ("--rate-per-connection", "10MB")
FAR = ("--rtt", "100ms", "--rate", "1Gbit")
SLOW = ("--rate", "256KiB")


class NarrowUp(LinkedUp):
    name = "narrow-up"
    title = "add 256 MiB at 10 MB/s a connection"
    link = NARROW

    def commands(self, number):
        keys = {tool: f"s3://{BUCKET}/{tool}" for tool in ("aws", "s5cmd")}
        return {
            **super().commands(number),
            "s5cmd": self.s5cmd("cp", self.file, keys["s5cmd"]),
            "aws": self.aws(self.file, keys["aws"]),
        }


class NarrowDown(LinkedDown):
    name = "narrow-down"
    title = "download 256 MiB at 10 MB/s a connection"
    link = NARROW

    def commands(self, number):
        key = f"s3://{BUCKET}/linked"
        return {
            **super().commands(number),
            "s5cmd": self.s5cmd("cp", key, self.folder / "s5cmd"),
            "aws": self.aws(key, self.folder / "aws"),
        }


class FarUp(LinkedUp):
    name = "far-up"
    title = "add 256 MiB at 100 ms and 1 Gbit/s"
    link = FAR

    def commands(self, number):
        commands = super().commands(number)
        folder = self.work.folder / "parts"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.work.run("split", "-b", str(8 << 20), str(self.file), f"{folder}/")
        parts = sorted(folder.iterdir())
        urls = self.work.servers.presigned_parts("curl", len(parts), self.url)
        transfers = [f'upload-file = "{part}"\nurl = "{url}"' for part, url in zip(parts, urls, strict=True)]
        return {**commands, "curl, 32 connections": curl(folder, transfers, 32)}


class FarDown(LinkedDown):
    name = "far-down"
    title = "download 256 MiB at 100 ms and 1 Gbit/s"
    link = FAR

    def commands(self, number):
        commands = super().commands(number)
        url = self.work.servers.presigned("get_object", self.url, Key="linked")
        ranges = [f"{start}-{start + (8 << 20) - 1}" for start in range(0, self.size, 8 << 20)]
        (self.folder / "curl").mkdir()
        transfers = [f'range = {it}\noutput = "{self.folder}/curl/{it}"\nurl = "{url}"' for it in ranges]
        return {**commands, "curl, 32 connections": curl(self.folder / "curl", transfers, 32)}


class SlowUp(LinkedUp):
    """Each run takes as long as the bytes do: none may be sent twice."""

    name = "slow-up"
    title = "add 40 MiB at 256 KiB/s in all"
    link = SLOW
    size = 40 << 20
    rounds = 1


class SlowDown(LinkedDown):
    name = "slow-down"
    title = "download 40 MiB at 256 KiB/s in all"
    link = SLOW
    size = 40 << 20
    rounds = 1


def curl(folder, transfers, connections=8):
    config = folder.parent / "curl.conf"
    common = "silent\nshow-error\nfail\n"
    config.write_text("next\n".join(f"{common}{transfer}\n" for transfer in transfers))
    return ["curl", "--parallel", "--parallel-max", str(connections), "--config", config]


LINKED = (NarrowUp, NarrowDown, FarUp, FarDown, SlowUp, SlowDown)
ROWS = (Start, Tag, Info, Add, AddMany, Upload, Download, AddAgain, List, ListRemote, Versions, *LINKED)
