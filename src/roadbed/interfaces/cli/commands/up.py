"""``roadbed up``: a platform in this process, until it is told to stop.

The platform runs on one uvloop loop in the main thread. The first SIGINT or SIGTERM stops it gracefully,
also while it is still starting; a second one ends the process at once, which loses nothing acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from roadbed.interfaces.cli.invocation import Invocation
from roadbed.interfaces.cli.localplatform import write_addresses
from roadbed.interfaces.cli.platform import Addresses, AuditOptions, Platform, UpOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    context: typer.Context,
    data_dir: Annotated[
        Path, typer.Option(envvar="ROADBED_DATA_DIR", help="Store, keys and the kubeconfig.")
    ] = Path(".roadbed"),
    host: Annotated[str, typer.Option(help="Where both ports listen.")] = "127.0.0.1",
    api_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The Kubernetes API, over TLS; 0 takes a free port.")
    ] = 6443,
    portal_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The portal; 0 takes a free port.")
    ] = 7007,
    demo: Annotated[
        bool, typer.Option(help="Bring the reference platform, its organisation and a sandbox cloud.")
    ] = True,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Keep everything but the kubeconfig in memory.")
    ] = False,
    event_ttl: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="How long events stay after they were last written; 0 for ever."
        ),
    ] = "1h",
    webhook_service: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NS/NAME[:PORT]=URL",
            help="Where webhooks are that name this Service: https://host:port. May be given more than once.",
        ),
    ] = None,
    audit_policy_file: Annotated[
        Path | None,
        typer.Option(help="What the audit log keeps of which request: an audit.k8s.io/v1 Policy."),
    ] = None,
    audit_log_path: Annotated[
        Path | None, typer.Option(help="Write audit events there, a line each; - is standard output.")
    ] = None,
    audit_log_maxsize: Annotated[
        int, typer.Option(min=0, help="Megabytes of a full audit log; 0 is no bound.")
    ] = 100,
    audit_log_maxbackup: Annotated[
        int, typer.Option(min=0, help="How many full audit logs stay; 0 is no bound.")
    ] = 0,
    audit_log_maxage: Annotated[
        int, typer.Option(min=0, help="Days that full audit logs stay; 0 is no bound.")
    ] = 0,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log what changes (-v), and everything (-vv).")
    ] = 0,
) -> None:
    """Start a platform and run it until Ctrl-C.

    It prints the portal's address with a sign-in link that works once, and the kubeconfig for every
    Kubernetes client. Stop it with Ctrl-C or SIGTERM; a second Ctrl-C does not wait.
    """
    from roadbed.interfaces.cli.logs import log_to_stderr
    from roadbed.interfaces.cli.webhookservices import webhook_services
    from roadbed.interfaces.cli.words import seconds

    log_to_stderr(verbose)
    invocation: Invocation = context.obj
    options = UpOptions(
        data_dir=data_dir,
        host=host,
        api_port=api_port,
        portal_port=portal_port,
        demo=demo,
        in_memory=in_memory,
        audit=AuditOptions(
            audit_policy_file, audit_log_path, audit_log_maxsize, audit_log_maxbackup, audit_log_maxage
        ),
        event_ttl_s=seconds(event_ttl),
        webhook_services=webhook_services(webhook_service or ()),
    )
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(invocation.platforms(options)))


async def _run(platform: Platform) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _ask_to_stop, stopping)
    asked = asyncio.create_task(stopping.wait())
    starting = asyncio.create_task(platform.start())
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            _say("stopped before it was ready")
            return
        addresses = starting.result()
        note = write_addresses(addresses)
        try:
            _say(announcement(addresses))
            await asked
            _say("stopping: what was accepted is kept … (Ctrl-C again does not wait)")
            await platform.stop()
        finally:
            note.unlink(missing_ok=True)
        _say("stopped")
    finally:
        asked.cancel()


def _ask_to_stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        _say("stopped at once")
        os._exit(130)
    stopping.set()


def announcement(addresses: Addresses) -> str:
    """Give what is said once both ports are ready."""
    kubeconfig = shlex.quote(str(addresses.kubeconfig))
    lines = [
        f"  Roadbed is ready in {addresses.ready_s:.1f} s",
        f"  portal      {addresses.signin_url}   (one-time sign-in link)",
        f"  kubernetes  export KUBECONFIG={kubeconfig}",
        *(f"  {notice}" for notice in addresses.notices),
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    # One write and one flush, so that whoever reads a pipe gets the lines together.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
