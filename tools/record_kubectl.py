"""Record the protobuf bodies that the stock kubectl sends, as test data.

Run by a developer: ``python tools/record_kubectl.py``. Starts a loopback HTTPS server that answers every
request with a failure and keeps the bodies, runs kubectl against it, and writes
``tests/apiserver/recordings/NAME.pb``. Needs ``kubectl`` on the PATH.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from roadbed.apiserver.certificates import Certificates

OUTPUT = Path(__file__).resolve().parents[1] / "tests/apiserver/recordings"
COMMANDS = {
    "configmap": "create configmap settings --from-literal=size=small --from-file=logo={file}",
    "namespace": "create namespace shop",
    "secret": "create secret generic token --from-literal=password=s3cret --type=example.org/token",
    "serviceaccount": "create serviceaccount builder",
    "role": "create role reader --verb=get,list --resource=configmaps,secrets --resource-name=settings",
    "clusterrole": "create clusterrole health --verb=get --non-resource-url=/healthz",
    "rolebinding": "create rolebinding readers --role=reader --user=ann --group=devs --serviceaccount=shop:builder",
    "deployment": "create deployment web --image=nginx --replicas=2 --port=80",
    "job": "create job once --image=busybox -- sleep 1",
    "service": "create service clusterip web --tcp=80:8080",
    "ingress": "create ingress web --rule=example.org/*=web:80",
    "quota": "create quota small --hard=cpu=500m,memory=1Gi",
    "can-i": "auth can-i list secrets.v1.example.org/settings --subresource=status -n shop",
    "can-i-list": "auth can-i --list -n shop",
    "whoami": "auth whoami",
    "token": "create token builder --duration=1h",
}


class Recorder(BaseHTTPRequestHandler):
    """Keeps every protobuf body; answers discovery with nothing and all else with a failure."""

    bodies: list[bytes] = []  # noqa: RUF012 - the one list, cleared between commands

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Content-Type") == "application/vnd.kubernetes.protobuf":
            self.bodies.append(body)
        self._answer(
            400,
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "recorded", "code": 400},
        )

    def do_GET(self) -> None:
        lists = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        }
        kinds = [("configmaps", "ConfigMap"), ("secrets", "Secret")]
        resources = [
            {"name": name, "kind": kind, "namespaced": True, "verbs": ["get", "list"]} for name, kind in kinds
        ]
        core = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": resources}
        self._answer(200, {**lists, "/api/v1": core}.get(self.path.partition("?")[0], {}))

    def _answer(self, code: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the framework's name
        """Keep quiet."""


def main() -> None:
    """Record every command's body."""
    certificates = Certificates.open_folder(None, clock=lambda: datetime.now(UTC))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.socket = certificates.server_context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        logo = Path(home, "logo.bin")
        logo.write_bytes(bytes(range(256)))
        flags = f"--server=https://127.0.0.1:{server.server_port} --insecure-skip-tls-verify --token=x --cache-dir={home}"
        for name, command in COMMANDS.items():
            Recorder.bodies.clear()
            words = ["kubectl", *flags.split(), *command.format(file=logo).split()]
            done = subprocess.run(
                words,
                check=False,
                capture_output=True,
                text=True,
                env={"HOME": home, "PATH": "/usr/bin:/bin:/usr/local/bin"},
            )
            if Recorder.bodies:
                (OUTPUT / f"{name}.pb").write_bytes(Recorder.bodies[-1])
            print(
                f"{name}: {len(Recorder.bodies)} bodies",
                "" if Recorder.bodies else done.stderr.strip()[-300:],
            )
    server.shutdown()
    certificates.close()


if __name__ == "__main__":
    main()
