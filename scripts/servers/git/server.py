"""A git server over ssh on loopback, for the tests: each repository below a folder can be read and pushed to with one key.

    server.py FOLDER

FOLDER gets `key` (the client's), `known_hosts`, and `repositories`. A repository that contains a file `cut` loses the
connection after the next push was carried out, and the file.
"""

import asyncio
import os
import shlex
import sys
from pathlib import Path

import asyncssh

SERVICES = ("git-upload-pack", "git-receive-pack")


def served(command, repositories):
    """The service and the repository that a command names, or None if it may not be run."""
    words = shlex.split(command or "")
    if len(words) != 2 or words[0] not in SERVICES:
        return None
    repository = (repositories / words[1].lstrip("/")).resolve()
    return (words[0], repository) if repositories in repository.parents else None


async def serve(process, repositories):
    found = served(process.command, repositories)
    if found is None:
        process.stderr.write(b"only git can be used here\n")
        process.exit(128)
        return
    service, repository = found
    variables = {name: value for name in ("GIT_PROTOCOL",) if (value := process.env.get(name))}
    git = await asyncio.create_subprocess_exec(
        "git", service.removeprefix("git-"), str(repository), env={**os.environ, **variables},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    await process.redirect(stdin=git.stdin, stdout=asyncssh.PIPE, stderr=git.stderr)
    cut = repository / "cut"
    if service == "git-receive-pack" and cut.exists():
        cut.unlink()
        # The list of refs is sent; the answer to the push is not.
        await forward_first(git.stdout, process.stdout)
        await git.stdout.read()
        await git.wait()
        process.channel.get_connection().abort()
        return
    while part := await git.stdout.read(1 << 16):
        process.stdout.write(part)
    process.exit(await git.wait())


async def forward_first(source, sink):
    """Forwards what is sent up to the first flush packet."""
    while True:
        length = await source.readexactly(4)
        rest = int(length, 16) - 4
        sink.write(length + (await source.readexactly(rest) if rest > 0 else b""))
        if length == b"0000":
            return


async def main(folder):
    repositories = folder / "repositories"
    repositories.mkdir(parents=True)
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user.write_private_key(folder / "key")
    (folder / "key").chmod(0o600)
    keys = asyncssh.import_authorized_keys(user.export_public_key().decode())
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=keys, encoding=None,
        process_factory=lambda process: serve(process, repositories.resolve()),
    )
    port = server.sockets[0].getsockname()[1]
    known = host.export_public_key().decode().strip()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}\n", encoding="ascii")
    print(f"listening on ssh://127.0.0.1:{port}", flush=True)
    await server.wait_closed()


asyncio.run(main(Path(sys.argv[1])))
