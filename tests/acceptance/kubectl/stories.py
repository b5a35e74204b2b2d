"""The table of kubectl commands: reading it, running it on a server, and making two runs comparable.

``record`` runs it on the real API server, ``test_kubectl_table`` on ours. A story's commands run in their order in
one process each, in a folder with the story's files, a kubeconfig whose namespace is the story's, and a home of its
own, so that no discovery is remembered from another story. What differs from one run to the next on the same server
(ages, uids, revisions, times, addresses, tokens) is replaced; everything else is compared as it is.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CLIENTS = ("oldest", "newest")
RUN_S = 30
# Old clients show managed fields; whether their times differ depends on how a second ended.
_DIFF = """#!/bin/sh
for folder; do sed -i 's/ time: .*/ time: TIME/' "$folder"/* 2>/dev/null; done
exec diff -u -N "$@"
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a story, as words after ``kubectl``."""

    words: str
    stdin: str = ""
    env: dict[str, str] = field(default_factory=dict)
    has_prose: bool = False  # of Kubernetes' own, which is not ours to keep: only the rest is compared


@dataclass(frozen=True, slots=True)
class Story:
    """Commands that build on each other."""

    name: str
    files: dict[str, str]
    commands: list[Command]


def read() -> list[Story]:
    """Read the table."""
    return [_story(entry) for entry in yaml.safe_load((HERE / "table.yaml").read_text())]


def _story(entry: dict[str, Any]) -> Story:
    commands = [
        Command(step)
        if isinstance(step, str)
        else Command(step["run"], step.get("stdin", ""), step.get("env", {}), step.get("prose", False))
        for step in entry["steps"]
    ]
    return Story(entry["story"], entry.get("files", {}), commands)


def programs() -> dict[str, Path]:
    """Give the kubectls that are built: ``ROADBED_ORACLE`` names another folder than ``tests/oracle/bin``."""
    folder = Path(os.environ.get("ROADBED_ORACLE", HERE.parents[1] / "oracle" / "bin"))
    return {name: path for name in CLIENTS if (path := folder / f"kubectl-{name}").exists()}


def play(story: Story, kubectl: Path, kubeconfig: Path, folder: Path) -> list[dict[str, Any]]:
    """Run a story; gives each command's words, exit code and comparable output."""
    folder.mkdir(parents=True)
    for name, text in story.files.items():
        (folder / name).write_text(text)
    own = folder / ".kubeconfig"
    config = yaml.safe_load(kubeconfig.read_text())
    (context,) = config["contexts"]
    context["context"]["namespace"] = story.name
    context["name"] = config["current-context"] = "table"
    context["context"] |= {"cluster": "table", "user": "table"}
    config["clusters"][0]["name"] = config["users"][0]["name"] = "table"
    own.write_text(yaml.safe_dump(config))
    differ = folder / "table-diff"
    differ.write_text(_DIFF)
    differ.chmod(0o755)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "KUBECTL_EXTERNAL_DIFF": differ.name,
        "HOME": str(folder),
        "KUBECONFIG": str(own),
        "LC_ALL": "C",
    }
    _run(kubectl, Command(f"create namespace {story.name}"), folder, environment)
    _await_furniture(kubectl, folder, environment)
    return [_run(kubectl, command, folder, environment) for command in story.commands]


def _await_furniture(kubectl: Path, folder: Path, environment: dict[str, str]) -> None:
    """Wait for what controllers put into every namespace."""
    wanted = Command("get configmap/kube-root-ca.crt serviceaccount/default -o name")
    deadline = time.monotonic() + RUN_S
    while _run(kubectl, wanted, folder, environment)["code"] and time.monotonic() < deadline:
        time.sleep(0.1)


def _run(kubectl: Path, command: Command, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [str(kubectl), *shlex.split(command.words)],
        input=command.stdin,
        env={**environment, **command.env},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    found: dict[str, Any] = {"run": command.words}
    for name, text in (("out", done.stdout), ("err", done.stderr)):
        if text:
            settled = _settled(command.words, text.replace(str(folder), "FOLDER"))
            found[name] = comparable(_without_prose(settled) if command.has_prose else settled)
    return {**found, "code": done.returncode}


def _settled(words: str, text: str) -> str:
    """Put what comes in any order into one: members of raw JSON, lists that kubectl keeps in a map."""
    # A client that ends its own watch at its time limit sometimes sees the end before the limit, and says so.
    text = "".join(line for line in text.splitlines(keepends=True) if "very short watch" not in line)
    if "--raw" in words and text.startswith("{"):
        return json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    if "--list" in words:
        return "\n".join(sorted(line.strip() for line in text.split("\n")))
    if "\n* " in text:  # the causes of schema errors come in the order of a map
        lines = text.split("\n")
        causes = iter(sorted(line for line in lines if line.startswith("* ")))
        return "\n".join(next(causes) if line.startswith("* ") else line for line in lines)
    if "goroutine 1 [running]" in text:  # kubectl's own defect: where it stood says nothing about the server
        return text.partition("goroutine 1")[0]
    return text


def _without_prose(text: str) -> str:
    """Keep what ``explain`` says beside descriptions: headings, fields with their types, enumerations."""
    kept = [
        line
        for line in text.split("\n")
        if line[:1].strip() or "\t<" in line or line.strip().startswith("enum:")
    ]
    return "\n".join(kept)


_AGE = r"\d+(?:\.\d+)?(?:ms|s|m|h|d|y)(?:\d+[smhd])?"
_REPLACED = [
    (re.compile(pattern, re.MULTILINE), by)
    for pattern, by in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID"),
        (r"(resourceVersion\"?: ?)\"\d+\"", r'\1"REVISION"'),
        (r"(resourceVersion\\*\"?:\\*\"?)\d+", r"\1REVISION"),
        (r"kube-api-access-[a-z0-9]{5}", "kube-api-access-SUFFIX"),
        (r"(\d+:)3[0-2]\d{3}/", r"\1NODE-PORT/"),
        (r"(?i)(resource ?version:? +)\d+", r"\1REVISION"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( \w+)?", "TIME"),
        (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "TOKEN"),
        (r"^([EWI])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\w+\.go):\d+\]", r"\1 \2]"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"10\.0\.\d+\.\d+", "CLUSTER-IP"),
        (r"(LIVE|MERGED)-\d+", r"\1-TEMPORARY"),
        (r"kubectl-edit-\w+\.yaml|edit-\d+\.yaml", "EDITED"),
        (r"X509SHA256=[0-9a-f]{64}", "CERTIFICATE"),
        (r"(Server Version: version.Info\{.*)GitVersion:.*", r"\1what the server is}"),
        (r"v1\.35\.\d+[\w.+-]*", "SERVER-VERSION"),
        (rf"(?<=\s){_AGE} ago\b", "AGE ago"),
        (rf"(?<=\s){_AGE}(?= |$)", "AGE"),
        (rf"(?<= over ){_AGE}(?=\))", "AGE"),
        (r"<(unknown|invalid)>$", "AGE"),
    )
]


def comparable(text: str) -> str:
    """Replace what no two runs have in common; the spaces that align columns become two."""
    for pattern, by in _REPLACED:
        text = pattern.sub(by, text)
    return "\n".join(_narrowed(line) for line in text.split("\n"))


def _narrowed(line: str) -> str:
    start = len(line) - len(line.lstrip(" "))
    return line[:start] + re.sub(r"\s{2,}", "  ", line[start:]).rstrip()


def recorded(client: str) -> dict[str, list[dict[str, Any]]]:
    """Give what the real API server's client said, by story."""
    found: dict[str, list[dict[str, Any]]] = yaml.load(
        (HERE / "recordings" / f"{client}.yaml").read_text(),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
    )
    return found
