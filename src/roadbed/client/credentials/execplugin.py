"""Exec credential plug-ins: a program of the user's that prints a token or a certificate.

Called by ``Renewed``, one run at a time, under a time limit unless it may ask a person. The program gets what
Kubernetes promises it in ``KUBERNETES_EXEC_INFO``; what it prints on stderr goes to ours, what it prints on stdout
is read and never shown.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins and
k8s.io/client-go/plugin/pkg/client/auth/exec (exec.go).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from roadbed.apimachinery.errors import BadRequestError, UnauthorizedError
from roadbed.apimachinery.timestamps import parse_time

from .kubeconfigs import Target
from .proofs import Proof, bearer

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
MODES = ("Never", "IfAvailable", "Always")
EXEC_INFO = "KUBERNETES_EXEC_INFO"
CLUSTER_EXTENSION = f"{GROUP}/exec"
TIMEOUT_S = 60.0  # of a program that may not ask anybody; one that may waits as long as its person


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """One plug-in, as the kubeconfig names it."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    mode: str
    install_hint: str
    cluster: Mapping[str, Any] | None

    @classmethod
    def of(cls, entry: Mapping[str, Any], target: Target) -> ExecPlugin:
        """Take in a kubeconfig's ``exec``.

        Raises:
            BadRequestError: it lacks something or holds what is not known.
        """
        version = str(entry.get("apiVersion") or "")
        if version not in VERSIONS:
            raise _unusable(target, f"exec.apiVersion is {version!r}, and {' and '.join(VERSIONS)} are known")
        command = str(entry.get("command") or "")
        if not command:
            raise _unusable(target, "exec.command must be specified")
        mode = str(entry.get("interactiveMode") or ("" if version == VERSIONS[0] else "IfAvailable"))
        if mode not in MODES:
            said = f"is {mode!r}" if mode else f"must be specified for {version}"
            raise _unusable(target, f"exec.interactiveMode {said}: it is one of {', '.join(MODES)}")
        environment: dict[str, str] = {}
        for variable in entry.get("env") or ():
            if not isinstance(variable, dict) or not variable.get("name"):
                raise _unusable(target, "exec.env holds a variable without a name")
            environment[str(variable["name"])] = str(variable.get("value") or "")
        if "/" in command or os.sep in command:
            command = str(target.user_file.parent / Path(command).expanduser())
        return cls(
            command=command,
            arguments=tuple(map(str, entry.get("args") or ())),
            environment=environment,
            api_version=version,
            mode=mode,
            install_hint=str(entry.get("installHint") or ""),
            cluster=_cluster_of(target) if entry.get("provideClusterInfo") else None,
        )

    async def fetch(self, *, is_refused: bool) -> tuple[Proof, datetime | None]:  # noqa: ARG002 - it isn't told
        """Run the program and read what it prints.

        Raises:
            UnauthorizedError: it can't be run, fails, or prints something else.
        """
        is_interactive = self._is_interactive()
        spec: dict[str, Any] = {"interactive": is_interactive}
        if self.cluster is not None:
            spec["cluster"] = self.cluster
        question = {"kind": "ExecCredential", "apiVersion": self.api_version, "spec": spec}
        environment = {**os.environ, **self.environment, EXEC_INFO: orjson.dumps(question).decode()}
        return self._read(await self._output(environment, is_interactive=is_interactive))

    def _is_interactive(self) -> bool:
        if self.mode == "Never":
            return False
        has_terminal = sys.stdin is not None and sys.stdin.isatty()
        if self.mode == "Always" and not has_terminal:
            raise UnauthorizedError(
                f"exec plug-in {self.command} cannot support interactive mode: standard input is not a terminal"
            )
        return has_terminal

    async def _output(self, environment: Mapping[str, str], *, is_interactive: bool) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                self.command,
                *self.arguments,
                env=environment,
                stdin=None if is_interactive else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            hint = (
                f"\n\n{self.install_hint}" if self.install_hint else "; install it, or correct exec.command"
            )
            raise UnauthorizedError(f"exec: executable {self.command} not found{hint}") from error
        except OSError as error:
            raise UnauthorizedError(f"exec: cannot run {self.command}: {error.strerror}") from error
        try:
            async with asyncio.timeout(None if is_interactive else TIMEOUT_S):
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise UnauthorizedError(f"exec: {self.command} did not end within {TIMEOUT_S:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise UnauthorizedError(
                f"exec: executable {self.command} failed with exit code {process.returncode}; it may have said why above"
            )
        return output

    def _read(self, output: bytes) -> tuple[Proof, datetime | None]:
        try:
            answer = orjson.loads(output)
            kind, version, status = answer["kind"], answer["apiVersion"], answer.get("status")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UnauthorizedError(f"exec plug-in {self.command} printed no ExecCredential") from error
        if (kind, version) != ("ExecCredential", self.api_version):
            raise UnauthorizedError(
                f"exec plug-in {self.command} is configured to use API version {self.api_version}, "
                f"plug-in returned version {version}"
            )
        if not isinstance(status, dict):
            raise UnauthorizedError(f"exec plug-in {self.command} didn't return a status field")
        token = str(status.get("token") or "")
        certificate = str(status.get("clientCertificateData") or "").encode()
        key = str(status.get("clientKeyData") or "").encode()
        if not token and not certificate and not key:
            raise UnauthorizedError(f"exec plug-in {self.command} didn't return a token or cert/key pair")
        if bool(certificate) != bool(key):
            raise UnauthorizedError(f"exec plug-in {self.command} returned only certificate or key, not both")
        return Proof(bearer(token) if token else "", certificate, key), self._expiry(status)

    def _expiry(self, status: Mapping[str, Any]) -> datetime | None:
        text = status.get("expirationTimestamp")
        if not text:
            return None
        try:
            return parse_time(str(text))
        except ValueError as error:
            raise UnauthorizedError(
                f"exec plug-in {self.command} returned a bad expirationTimestamp"
            ) from error


def _cluster_of(target: Target) -> dict[str, Any]:
    """Give what a plug-in may know about the cluster; no credential of ours is in it."""
    import base64

    told: dict[str, Any] = {"server": target.server}
    if target.tls_server_name:
        told["tls-server-name"] = target.tls_server_name
    if target.is_insecure:
        told["insecure-skip-tls-verify"] = True
    if target.ca_pem:
        told["certificate-authority-data"] = base64.b64encode(target.ca_pem).decode()
    if target.proxy_url:
        told["proxy-url"] = target.proxy_url
    for extension in target.cluster.get("extensions") or ():
        if isinstance(extension, dict) and extension.get("name") == CLUSTER_EXTENSION:
            told["config"] = extension.get("extension")
    told.setdefault("config", None)
    return told


def _unusable(target: Target, why: str) -> BadRequestError:
    return BadRequestError(f"cannot use kubeconfig {target.file}: {why}")
