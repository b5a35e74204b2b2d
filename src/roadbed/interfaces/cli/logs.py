"""One line per log record on stderr, for a platform that runs in a terminal or under a supervisor.

Set up once by ``up``. The message comes first, then the record's facts as ``key=value``; an exception is
its last line, with the traceback only at ``-vv``. Records never hold secrets: that is the writers' duty.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


def log_to_stderr(verbosity: int) -> None:
    """Log warnings and worse; with 1 also what changes, with 2 everything."""
    level = _LEVELS[min(verbosity, len(_LEVELS) - 1)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(tracebacks=level == logging.DEBUG))
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("roadbed").setLevel(level)
    # Access lines and reconnects of libraries are noise until somebody debugs.
    for noisy in ("uvicorn", "httpx", "httpx2", "botocore", "boto3", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING if level > logging.DEBUG else logging.INFO)


class LineFormatter(logging.Formatter):
    """Formats a record as one line."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Give the line; line breaks within facts are escaped."""
        line = self.formatTime(record, self.datefmt)
        line = f"{line} {record.levelname.lower()} {record.name}: {_on_one_line(record.getMessage())}"
        facts = {key: value for key, value in record.__dict__.items() if key not in _OWN}
        for key, value in facts.items():
            line += f" {key}={_shown(value)}"
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line += f" error={_shown(f'{type(error).__name__}: {error}')}"
            if self._tracebacks:
                line += f"\n{self.formatException(record.exc_info)}"
        return line


def _shown(value: Any) -> str:
    text = _on_one_line(str(value))
    return f'"{text}"' if " " in text or not text else text


def _on_one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") if "\n" in text else text
