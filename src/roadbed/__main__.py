"""The ``roadbed`` command: hands the command line what it may not import, and runs it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from roadbed.interfaces.cli import Platform, UpOptions
from roadbed.interfaces.cli.maintenance import Maintenance
from roadbed.interfaces.cli.server import Server, ServerOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    from roadbed.interfaces.cli.main import main as run

    return run(argv, platforms=_platform, maintenance=_maintenance, servers=_server)


def _platform(options: UpOptions) -> Platform:
    # What is imported and opened from here on lives as long as the process. Collecting while it grows slows
    # the imports; the platform collects again once it is ready.
    gc.disable()
    # Only `up` needs the servers and engines: every other command starts without importing them.
    from roadbed.app import Platform as Running
    from roadbed.settings import Settings

    return Running(
        Settings(
            data_dir=options.data_dir,
            host=options.host,
            api_port=options.api_port,
            portal_port=options.portal_port,
            demo=options.demo,
            in_memory=options.in_memory,
            event_ttl=options.event_ttl_s,
            webhook_service=options.webhook_services,
            audit_policy_file=options.audit.policy_file,
            audit_log_path=options.audit.log_path,
            audit_log_maxsize=options.audit.log_maxsize,
            audit_log_maxbackup=options.audit.log_maxbackup,
            audit_log_maxage=options.audit.log_maxage,
        )
    )


def _server(options: ServerOptions) -> Server:
    gc.disable()  # as for a platform
    from roadbed.alone import Server as Alone

    return Alone(options)


def _maintenance() -> Maintenance:
    from roadbed.maintenance import FolderMaintenance

    return FolderMaintenance()


if __name__ == "__main__":
    sys.exit(main())
