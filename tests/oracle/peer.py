"""The real kube-apiserver, etcd and kube-controller-manager on free ports of this machine, for comparing.

``build`` makes the programs from the Go module beside this file; ``Peer`` starts them on a folder and stops
them. ``python -m tests.oracle.peer`` keeps one running until Ctrl-C or SIGTERM and prints its kubeconfig.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from roadbed.apiserver.certificates import Certificates

HERE = Path(__file__).parent
VERSION = "v1.35.4"  # of k8s.io/kubernetes in go.mod
_COMPACT_KEY = base64.b64encode(b"compact_rev_key").decode()  # where API servers tell each other
START_S = 90.0
STOP_S = 15.0
# What a control plane without pods needs from kube-controller-manager.
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
    "validatingadmissionpolicy-status-controller",
)
PUBLISHER = "root-ca-certificate-publisher-controller"  # of the ConfigMap that every namespace has


def programs() -> Path | None:
    """Give the folder of the built programs, or None: ``ROADBED_ORACLE`` names another than ``bin`` here."""
    folder = Path(os.environ.get("ROADBED_ORACLE", HERE / "bin"))
    return folder if all((folder / name).exists() for name in ("apiserver", "controllers", "etcd")) else None


def build(folder: Path = HERE / "bin") -> None:
    """Build all programs of the module; 7 to 10 minutes on two cores the first time.

    Raises:
        subprocess.CalledProcessError: the build failed; its output was shown.
        FileNotFoundError: there is no Go here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = f"-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"
    command = ["go", "build", "-trimpath", "-ldflags", stamp, "-o", f"{folder}/", "./..."]
    subprocess.run(command, cwd=HERE, check=True)


class Peer:
    """One control plane of the real programs; a context manager.

    ``folder`` holds everything it writes. Clients use ``kubeconfig``, or ``port`` with ``ca.pem``, ``admin.pem``
    (certificate and key of a member of system:masters) and ``token`` (another such member).
    """

    token = "oracle-admin-token"

    def __init__(
        self,
        folder: Path,
        *,
        is_durable: bool = False,
        has_controllers: bool = True,
        controllers: Sequence[str] = CONTROLLERS,
        flags: Sequence[str] = (),
    ) -> None:
        found = programs()
        if found is None:
            raise FileNotFoundError(
                "the real API server is not built here: run `make oracle-build` (needs Go)"
            )
        self._programs = found
        self.folder = folder
        self.port = _free_port()
        self._is_durable = is_durable
        self._controllers = controllers if has_controllers else ()
        self._flags = flags
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    def __enter__(self) -> Self:
        self._write_files()
        try:
            self._start_etcd()
            self._start_apiserver()
            if self._controllers:
                self._start_controllers()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def compact(self) -> None:
        """Have etcd forget all revisions but the present, and tell the API server as another one would.

        It stops to show older ones within ``compactorPollPeriod``, 15 seconds.
        """
        written = self._etcd_answer("/v3/kv/put", {"key": _COMPACT_KEY, "value": ""})
        revision = written["header"]["revision"]
        value = base64.b64encode(revision.encode()).decode()
        self._etcd_answer("/v3/kv/put", {"key": _COMPACT_KEY, "value": value})
        self._etcd_answer("/v3/kv/compaction", {"revision": revision, "physical": True})

    def _etcd_answer(self, path: str, question: dict[str, object]) -> Any:
        request = urllib.request.Request(f"{self._etcd}{path}", json.dumps(question).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _write_files(self) -> None:
        certificates = Certificates.open_folder(self.folder, clock=lambda: datetime.now(UTC))
        (self.folder / "ca.pem").write_bytes(certificates.ca_pem)
        (self.folder / "admin.pem").write_bytes(certificates.admin_pem + certificates.admin_key_pem)
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        form = serialization.PrivateFormat.TraditionalOpenSSL  # the only one that kube-apiserver reads here
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (self.folder / "sa.key").write_bytes(pem)
        (self.folder / "tokens.csv").write_text(f"{self.token},oracle-admin,oracle-admin,system:masters\n")
        address = f"https://127.0.0.1:{self.port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "oracle",
                    "cluster": {"server": address, "certificate-authority": str(self.folder / "ca.pem")},
                }
            ],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "oracle", "context": {"cluster": "oracle", "user": "admin"}}],
            "current-context": "oracle",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def _start_etcd(self) -> None:
        client, peer = _free_port(), _free_port()
        self._etcd = f"http://127.0.0.1:{client}"
        arguments = [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        ]
        self._run("etcd", arguments if self._is_durable else [*arguments, "--unsafe-no-fsync"])
        _wait("etcd", lambda: _ask("127.0.0.1", client, "/health", None) == 200, self)

    def _start_apiserver(self) -> None:
        pki = self.folder / "pki"
        self._run(
            "apiserver",
            [
                f"--etcd-servers={self._etcd}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self.port}",
                f"--tls-cert-file={pki / 'serving.crt'}",
                f"--tls-private-key-file={pki / 'serving.key'}",
                f"--client-ca-file={self.folder / 'ca.pem'}",
                f"--cert-dir={self.folder / 'certs'}",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={self.folder / 'sa.key'}",
                f"--service-account-signing-key-file={self.folder / 'sa.key'}",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--authorization-mode=RBAC",
                *self._flags,
            ],
        )
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        _wait("apiserver", lambda: _ask("127.0.0.1", self.port, "/readyz", context, self.token) == 200, self)

    def _start_controllers(self) -> None:
        self._run(
            "controllers",
            [
                f"--kubeconfig={self.kubeconfig}",
                f"--controllers={','.join(self._controllers)}",
                f"--root-ca-file={self.folder / 'ca.pem'}",
                "--leader-elect=false",
                "--use-service-account-credentials=false",
                f"--secure-port={_free_port()}",
                "--bind-address=127.0.0.1",
                f"--cert-dir={self.folder / 'certs'}",
            ],
        )

    def _run(self, name: str, arguments: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(self._programs / name), *arguments], stdout=log, stderr=subprocess.STDOUT
            )


def _wait(name: str, is_ready: object, peer: Peer) -> None:
    assert callable(is_ready)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if peer.processes[name].poll() is not None:
            break
        if is_ready():
            return
        time.sleep(0.1)
    tail = (peer.folder / f"{name}.log").read_text(errors="replace")[-2_000:]
    raise RuntimeError(f"{name} did not become ready; the end of its log:\n{tail}")


def _ask(host: str, port: int, path: str, context: ssl.SSLContext | None, token: str = "") -> int:
    connection = (
        http.client.HTTPConnection(host, port, timeout=5)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=5, context=context)
    )
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def main() -> None:
    """``build`` builds; anything else, or nothing, keeps a peer running until Ctrl-C or SIGTERM."""
    if sys.argv[1:] == ["build"]:
        build()
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # its programs are stopped on the way out
    with tempfile.TemporaryDirectory(prefix="oracle-") as name, Peer(Path(name), flags=sys.argv[1:]) as peer:
        sys.stdout.write(f"export KUBECONFIG={peer.kubeconfig}\n")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
