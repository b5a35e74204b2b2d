"""What one polite client feels while another floods the API server: 64 connections, flat out, of one user.

The server runs here, over TLS and a file; the polite and the greedy client are processes of their own. The polite
one asks for one object, then rests for 5 ms, a few hundred times: alone, beside a flood of creates, and beside a
flood of lists. Neither is in ``system:masters``, which no queue ever holds up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benches.bench_apiserver import DATA, Connection, serving

GREEDY = 64  # connections
ASKED = 300  # requests of the polite client
REST_S = 0.005
LISTED = 1_000
PATH = "/api/v1/namespaces/default/configmaps"


async def measure() -> dict[str, float]:
    """Give the polite client's times by what went on meanwhile."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-fairness-") as name:
        folder = Path(name)
        async with serving(folder) as (port, _):
            await _prepare(folder, port)
            for what in ("nobody", "creates", "lists"):
                async with _flood(what, port, name) as greedy:
                    polite = json.loads(await _run("polite", port, name))
                beside = "alone" if what == "nobody" else f"beside_{what}"
                figures[f"fairness.get_ms_p50_{beside}"] = polite["p50_ms"]
                figures[f"fairness.get_ms_p99_{beside}"] = polite["p99_ms"]
                if greedy:
                    figures[f"fairness.greedy_{what}_per_s"] = greedy["per_s"]
    return figures


async def _prepare(folder: Path, port: int) -> None:
    """Give both clients certificates and rights, and fill the list."""
    from datetime import UTC, datetime

    from roadbed.apiserver.certificates import Certificates

    certificates = Certificates.open_folder(folder, clock=lambda: datetime.now(UTC))
    for user in ("polite", "greedy"):
        pem, key = certificates.issue_client(user, ("bench",))
        (folder / f"{user}.pem").write_bytes(pem + key)
    admin = await Connection.open(port, _tls(folder, "admin"))
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "bench"}],
    }
    await _create(admin, f"/apis/{group}/v1/clusterrolebindings", binding)
    await _create(admin, "/api/v1/namespaces", {"metadata": {"name": "full"}})
    for number in range(LISTED):
        obj = {"metadata": {"name": f"f{number:05}"}, "data": DATA}
        await _create(admin, "/api/v1/namespaces/full/configmaps", obj)
    await _create(admin, PATH, {"metadata": {"name": "polite"}, "data": DATA})
    admin.close()


async def _create(connection: Connection, path: str, obj: object) -> None:
    status, answer = await connection.ask("POST", path, json.dumps(obj).encode())
    assert status == 201, answer


@contextlib.asynccontextmanager
async def _flood(what: str, port: int, name: str):  # type: ignore[no-untyped-def]
    """Keep a flood up during the block; the figures of it are in what is given, afterwards."""
    figures: dict[str, float] = {}
    if what == "nobody":
        yield figures
        return
    process = await _start(what, port, name, stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()  # it runs
    yield figures
    process.stdin.close()
    figures |= json.loads(await process.stdout.readline())
    await process.wait()


async def _run(what: str, port: int, name: str) -> bytes:
    process = await _start(what, port, name)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the {what} client failed with code {process.returncode}")
    return output


async def _start(what: str, port: int, name: str, stdin: int | None = None) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = (sys.executable, "-m", "benches.bench_fairness", what, str(port), name)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=pipe, env=environment)


def _tls(folder: Path, user: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / f"{user}.pem")
    return context


async def _polite(port: int, folder: Path) -> None:
    connection = await Connection.open(port, _tls(folder, "polite"))
    times = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        status, answer = await connection.ask("GET", f"{PATH}/polite")
        times.append(time.perf_counter() - begin)
        assert status == 200, answer
        await asyncio.sleep(REST_S)
    connection.close()
    print(json.dumps({"p50_ms": median(times) * 1e3, "p99_ms": quantiles(times, n=100)[98] * 1e3}))


async def _greedy(what: str, port: int, folder: Path) -> None:
    """Flood until standard input ends; refusals count as answers, for they too cost the server."""
    tls = _tls(folder, "greedy")
    connections = [await Connection.open(port, tls) for _ in range(GREEDY)]
    done, is_over = 0, asyncio.Event()

    async def run(connection: Connection, number: int) -> None:
        nonlocal done
        index = 0
        while not is_over.is_set():
            index += 1
            if what == "lists":
                await connection.ask("GET", "/api/v1/namespaces/full/configmaps")
            else:
                obj = {"metadata": {"name": f"g{number:02}-{index:06}"}, "data": DATA}
                await connection.ask("POST", PATH, json.dumps(obj).encode())
            done += 1

    begin = time.perf_counter()
    running = asyncio.gather(*(run(connection, number) for number, connection in enumerate(connections)))
    print("running", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    is_over.set()
    await running
    print(json.dumps({"per_s": done / (time.perf_counter() - begin)}), flush=True)


if __name__ == "__main__":
    kind, port_text, name = sys.argv[1:]
    arguments = (int(port_text), Path(name))
    asyncio.run(_polite(*arguments) if kind == "polite" else _greedy(kind, *arguments))
