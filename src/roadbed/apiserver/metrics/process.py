"""What the system says of this process, as every Prometheus client prints it. Linux; elsewhere what there is.

Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import roadbed
from roadbed.apimachinery.instruments import Instrument, Labels, Read

_STARTED_S = time.time() - time.process_time()  # near enough where the system does not say


def instruments() -> list[Instrument]:
    """Give the instruments of this process."""
    return [
        Read("process_cpu_seconds_total", "CPU time of the process.", (), _cpu, kind="counter"),
        Read("process_resident_memory_bytes", "Memory in use.", (), _resident),
        Read("process_virtual_memory_bytes", "Address space in use.", (), _virtual),
        Read("process_open_fds", "Open files and sockets.", (), _open_files),
        Read("process_max_fds", "Files and sockets that may be open.", (), _most_files),
        Read("process_start_time_seconds", "When the process started, in seconds since 1970.", (), _started),
        Read("roadbed_build", "Always 1; what runs is in the labels.", ("version", "python"), _build),
    ]


def _cpu() -> Mapping[Labels, float]:
    return {(): time.process_time()}


def _pages() -> list[str]:
    try:
        return Path("/proc/self/statm").read_text().split()
    except OSError:
        return []


def _virtual() -> Mapping[Labels, float]:
    pages = _pages()
    return {(): int(pages[0]) * resource.getpagesize()} if pages else {}


def _resident() -> Mapping[Labels, float]:
    pages = _pages()
    return {(): int(pages[1]) * resource.getpagesize()} if pages else {}


def _open_files() -> Mapping[Labels, float]:
    try:
        return {(): len(os.listdir("/proc/self/fd"))}  # noqa: PTH208 - names are enough
    except OSError:
        return {}


def _most_files() -> Mapping[Labels, float]:
    return {(): resource.getrlimit(resource.RLIMIT_NOFILE)[0]}


def _started() -> Mapping[Labels, float]:
    return {(): round(_STARTED_S, 2)}


def _build() -> Mapping[Labels, float]:
    return {(roadbed.__version__, platform.python_version()): 1}
