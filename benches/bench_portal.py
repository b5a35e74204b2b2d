"""The portal: what a page costs the server at 500 composites and 1,000 entities, and when a browser shows it.

``portal.page_ms_p50`` is the slowest page's median. The first contentful paint is measured in Chromium, where
there is one, over loopback. The catalog's own figures are taken at 10,000 entities.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx2 as httpx
import uvicorn
from playwright.async_api import async_playwright

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object, User
from roadbed.apis.aws import VPC
from roadbed.interfaces.web import WebApp, WebSettings, create_app
from roadbed.portal.catalog import EVERYTHING, Catalog, Query
from roadbed.portal.catalog.folder import Found, read_folder
from roadbed.portal.index import Database
from roadbed.testing import ControlPlane, control_plane

COMPOSITES = 500
COMPOSED_EACH = 5
ENTITIES = 1_000
MANY_ENTITIES = 10_000
VISITS = 15
PORTAL = User("system:portal", ("system:authenticated",))
VISITOR = User("ada", ("roadbed:admins", "team-1"))
CHROMIUM = Path("/usr/bin/chromium")

THINGS = Resource("bench.example.org", "v1", "things", "Thing", categories=("composite",))
VPCS = VPC.resource(legacy=False)
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Available",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
THING = "/c/local/bench.example.org/v1/Thing/default/thing-7"
PAGES = (
    "/",
    "/catalog",
    "/catalog/component/default/c7",
    "/create",
    "/create/bench.example.org/v1/Thing",
    "/resources",
    THING,
)


async def measure() -> dict[str, float]:
    """Give the figures by name; times in the unit of the name."""
    figures = await _catalog()
    database = Database(None)
    await database.open()
    catalog = Catalog(database)
    await catalog.replace("bench", _entities(ENTITIES))
    async with control_plane() as plane:
        await _fill(plane)
        figures |= await _serve(plane, catalog)
    await database.close()
    return figures


async def _serve(plane: ControlPlane, catalog: Catalog) -> dict[str, float]:
    config = uvicorn.Config(_unmade, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        origin = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        app = create_app(WebSettings(origins=(origin,)), client=plane.as_user(PORTAL), catalog=catalog)
        config.loaded_app = app
        figures = await _visit(app, origin)
        figures |= await _paint(app, origin)
        await app.stop()
        server.should_exit = True
        await serving
    return figures


async def _unmade(*_: object) -> None:
    raise RuntimeError("the portal was asked before it was made")


async def _visit(app: WebApp, origin: str) -> dict[str, float]:
    medians: list[float] = []
    transport = httpx.ASGITransport(app=app)  # the server's own time, without a socket
    async with httpx.AsyncClient(transport=transport, base_url=origin) as browser:
        await browser.get(app.issue_signin_link(VISITOR))
        for path in PAGES:
            times = []
            for _ in range(VISITS):
                started = time.perf_counter()
                answer = await browser.get(path)
                times.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 200, (path, answer.text)
            medians.append(statistics.median(times))
    return {"portal.page_ms_p50": max(medians), "portal.page_ms_median_page": statistics.median(medians)}


async def _paint(app: WebApp, origin: str) -> dict[str, float]:
    if not CHROMIUM.exists():
        return {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(app.issue_signin_link(VISITOR))
        paints = []
        for path in PAGES:
            await page.goto(origin + path)
            await page.wait_for_selector(".main")
            paints.append(
                await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
        await browser.close()
    return {"portal.first_contentful_paint_ms": statistics.median(paints)}


async def _catalog() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        documents = [_document(number) for number in range(MANY_ENTITIES)]
        for start in range(0, MANY_ENTITIES, 500):
            text = "---".join(documents[start : start + 500])
            (Path(folder) / f"{start}.yaml").write_text(text)
        database = Database(Path(folder) / "index.db")
        await database.open()
        catalog = Catalog(database)
        started = time.perf_counter()
        reading = await asyncio.to_thread(read_folder, folder)
        await catalog.replace("bench", reading.found)
        ingest_s = time.perf_counter() - started
        times = []
        for number in range(100):
            query = Query(
                {"owner": [f"group:default/team-{number % 20}"]}, text=f"c{number % 10}", order="type"
            )
            started = time.perf_counter()
            await catalog.list(query, EVERYTHING)
            times.append((time.perf_counter() - started) * 1000)
        await database.close()
    return {
        "catalog.ingest_per_s_10000": MANY_ENTITIES / ingest_s,
        "catalog.query_ms_p95_10000": statistics.quantiles(times, n=20)[-1],
    }


async def _fill(plane: ControlPlane) -> None:
    properties = {"size": {"type": "string", "default": "small"}, "crossplane": _OPEN}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}, "status": _OPEN},
    }
    await plane.create(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": THINGS.qualified},
            "spec": {
                "group": THINGS.group,
                "scope": "Namespaced",
                "names": {
                    "plural": "things",
                    "singular": "thing",
                    "kind": "Thing",
                    "categories": ["composite"],
                },
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }
    )
    for start in range(0, COMPOSITES, 50):
        await asyncio.gather(*(_compose(plane, number) for number in range(start, start + 50)))


_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


async def _compose(plane: ControlPlane, number: int) -> None:
    names = [f"thing-{number}-{part}" for part in range(COMPOSED_EACH)]
    references = [{"apiVersion": VPCS.api_version, "kind": VPCS.kind, "name": name} for name in names]
    # One in ten is not ready, so that the pages have causes to look for.
    ready = READY if number % 10 else {**READY, "status": "False", "reason": "Creating"}
    await plane.client.create(
        THINGS,
        {
            "apiVersion": THINGS.api_version,
            "kind": THINGS.kind,
            "metadata": {"name": f"thing-{number}", "namespace": "default"},
            "spec": {"crossplane": {"resourceRefs": references}},
            "status": {"conditions": [ready]},
        },
    )
    for name in names:
        await plane.client.create(
            VPCS,
            {
                "apiVersion": VPCS.api_version,
                "kind": VPCS.kind,
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"forProvider": {"region": "eu-central-1", "cidrBlock": "10.0.0.0/16"}},
            },
        )


def _entities(count: int) -> list[Found]:
    return [
        Found(
            {
                "apiVersion": "backstage.io/v1alpha1",
                "kind": "Component",
                "metadata": {"name": f"c{number}", "description": "What it is for."},
                "spec": {"type": "service", "lifecycle": "production", "owner": f"team-{number % 20}"},
            },
            "all.yaml",
            number,
        )
        for number in range(count)
    ]


def _document(number: int) -> str:
    return f"""
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: c{number}
  description: What component {number} is for, in a sentence of ordinary length.
  tags: [java, team-{number % 20}]
spec:
  type: {("service", "website", "library")[number % 3]}
  lifecycle: production
  owner: team-{number % 20}
  system: system-{number % 100}
  dependsOn: ["component:c{(number + 1) % MANY_ENTITIES}"]
"""
