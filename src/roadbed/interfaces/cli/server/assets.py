"""The folder in which test kits look for a control plane's programs: ``etcd``, ``kube-apiserver``, ``kubectl``.

``roadbed envtest-assets DIR`` writes it; ``KUBEBUILDER_ASSETS=DIR`` makes a suite on controller-runtime's envtest
use it. The kit only starts the programs and asks their health, so ``etcd`` is a program that answers ``/health`` and
keeps nothing, and ``kube-apiserver`` is ours under the flags that the kit gives. Both name the Python that wrote
them: write the folder again where that moved.

Source of what is started how: sigs.k8s.io/controller-runtime, pkg/internal/testing/controlplane.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

_APISERVER = """\
#!/bin/sh
# Written by `roadbed envtest-assets`: the API server of Roadbed under kube-apiserver's flags.
exec {python} -m roadbed apiserver "$@"
"""

# Nothing but the standard library and no site packages: it starts in the time of the interpreter.
_ETCD = """\
#!/bin/sh
# Written by `roadbed envtest-assets`: answers health like etcd and keeps nothing, the API server has a store of its own.
exec {python} -I -S - "$@" <<'PROGRAM'
import http.server
import signal
import sys
import urllib.parse

if "--version" in sys.argv:
    print("etcd Version: none (Roadbed keeps its own store)")
    sys.exit(0)
if "--help" in sys.argv:  # test kits look in it which flags there are
    print("Usage:\\n  --listen-client-urls urls\\n  --unsafe-no-fsync  accepted, like every flag of etcd")
    sys.exit(0)
url = "http://localhost:2379"
words = sys.argv[1:]
for number, word in enumerate(words):
    name, joined, value = word.lstrip("-").partition("=")
    if name == "listen-client-urls":
        url = value if joined else words[number + 1]
address = urllib.parse.urlsplit(url.split(",")[0])


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_known = self.path.split("?")[0] in ("/health", "/livez", "/readyz")
        body = b'{{"health":"true","reason":""}}' if is_known else b"404 page not found\\n"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):  # without the look-up of our own name, which may take seconds
        self.socket.setsockopt(1, 2, 1)  # SOL_SOCKET, SO_REUSEADDR
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(0))
Server((address.hostname, address.port or 2379), Health).serve_forever()
PROGRAM
"""


def write_assets(folder: Path) -> dict[str, str]:
    """Write the programs; gives what each name is, ``kubectl`` only where one is found.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    python = shlex.quote(sys.executable)
    written = {"etcd": "a health check", "kube-apiserver": "roadbed apiserver"}
    for name, text in (("etcd", _ETCD), ("kube-apiserver", _APISERVER)):
        program = folder / name
        program.unlink(missing_ok=True)  # a running shell reads on from the file that it has open
        program.write_text(text.format(python=python))
        program.chmod(0o755)
    kubectl = shutil.which("kubectl")
    link = folder / "kubectl"
    if kubectl is not None and Path(kubectl).absolute() != link.absolute():
        link.unlink(missing_ok=True)
        link.symlink_to(kubectl)
    if link.exists():
        written["kubectl"] = str(link.resolve())
    return written
