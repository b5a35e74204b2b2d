"""Running one command line: from words to an exit code, with nothing but sentences for the person.

Called by ``__main__``, once per process, and by tests from a thread. A command raises; here every failure
becomes ``error:`` and ``hint:`` lines and the exit code that scripts rely on: 0 well, 1 failed, 2 usage,
3 plan has changes, 4 not found, 5 denied. What nobody expected is written to a file for a defect report.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import server
from .maintenance import MaintenanceFactory
from .platform import PlatformError, PlatformFactory
from .server import ServerFactory

if TYPE_CHECKING:
    from .failures import Failure

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(
    argv: Sequence[str] | None = None,
    *,
    platforms: PlatformFactory,
    maintenance: MaintenanceFactory | None = None,
    servers: ServerFactory | None = None,
) -> int:
    """Run one command; ``argv`` is without the program's name, None takes the process's own."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["apiserver"]:
        return server.main(words[1:], servers)
    # Everything heavy is imported here: the composition root imports this face for its Protocols alone.
    import typer

    from roadbed.apimachinery.errors import ApiError

    from .commands import command
    from .failures import Failure, from_api
    from .invocation import Invocation

    invocation = Invocation(platforms=platforms, maintenance=maintenance)
    try:
        code = command().main(words, prog_name="roadbed", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Failure as failure:
        return failure.show()
    except PlatformError as error:
        return Failure(error.message, hint=error.hint).show()
    except ApiError as error:
        return from_api(error, "the request failed").show()
    except typer.TyperException as error:
        return _misused(error).show()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has seen enough; without this Python complains once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - no traceback ever reaches a person
        return _defect(error).show()


def _misused(error: Exception) -> Failure:
    from .failures import usage

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "roadbed"
    text = str(getattr(error, "format_message", error.__str__)())
    return usage(text[:1].lower() + text[1:].rstrip("."), hint=f"{path} --help")


def _defect(error: Exception) -> Failure:
    """Keep the traceback of what nobody expected where a defect report can quote it."""
    import tempfile
    import traceback

    from .failures import Failure

    with tempfile.NamedTemporaryFile("w", prefix="roadbed-defect-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    return Failure(
        f"this is a defect in Roadbed: {type(error).__name__}: {error}",
        hint=f"please report it with the details in {file.name}; look for secrets in it first",
    )
