"""`roadbed apiserver` and `roadbed envtest-assets`: the flags of kube-apiserver, and the programs that a test kit starts."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from roadbed.interfaces.cli import PlatformError, main
from roadbed.interfaces.cli.server.flags import ServerOptions, parse, usage

# What controller-runtime's envtest gives, but for the folders.
ENVTEST = [
    "--allow-privileged=true",
    "--authorization-mode=RBAC",
    "--bind-address=127.0.0.1",
    "--cert-dir=/kit",
    "--client-ca-file=/kit/client-cert-auth-ca.crt",
    "--disable-admission-plugins=ServiceAccount",
    "--etcd-servers=http://127.0.0.1:2379",
    "--secure-port=40123",
    "--service-account-issuer=https://127.0.0.1:40123/",
    "--service-account-key-file=/kit/sa-signer.crt",
    "--service-account-signing-key-file=/kit/sa-signer.key",
    "--service-cluster-ip-range=10.0.0.0/24",
]


class Standin:
    """A server of the test's own, told to stop once it is ready."""

    def __init__(self, error=None):
        self.options = None
        self.has_stopped = False
        self.error = error

    def __call__(self, options):
        self.options = options
        return self

    async def start(self):
        if self.error:
            raise self.error
        os.kill(os.getpid(), signal.SIGTERM)
        return "the API server is ready at https://127.0.0.1:1 in 0.1 s"

    async def stop(self):
        self.has_stopped = True


def run(*words, server=None):
    return main(["apiserver", *words], platforms=None, servers=server or Standin())


def test_the_flags_of_a_test_kit_are_known():
    options = parse(ENVTEST)
    assert options == ServerOptions(
        secure_port=40_123,
        cert_dir=Path("/kit"),
        client_ca_file=Path("/kit/client-cert-auth-ca.crt"),
        service_account_issuer="https://127.0.0.1:40123/",
        service_account_key_file=Path("/kit/sa-signer.crt"),
        service_account_signing_key_file=Path("/kit/sa-signer.key"),
    )
    assert options.warnings == ()


def test_values_are_read_as_go_reads_them():
    options = parse(["--secure-port", "1", "-bind-address=::1", "--controllers", "--secure-port=2", "--v=4"])
    assert (options.secure_port, options.bind_address, options.has_controllers) == (2, "::1", True)
    assert options.verbosity == 2
    assert not parse(["--controllers=False"]).has_controllers


def test_an_unknown_flag_is_ignored_with_a_warning_and_takes_its_value_along():
    options = parse(
        ["--feature-gates=A=true", "--max-requests-inflight", "5", "--profiling", "--secure-port=7"]
    )
    assert options.secure_port == 7
    assert [warning.split()[0] for warning in options.warnings] == [
        "--feature-gates",
        "--max-requests-inflight",
        "--profiling",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--authorization-mode=AlwaysAllow"], "only RBAC decides here"),
        (["--authorization-mode=Webhook,RBAC"], "only RBAC decides here"),
        (["--secure-port=70000"], "from 0 to 65535"),
        (["--secure-port=-1"], "from 0 to 65535"),
        (["--secure-port"], "needs a value"),
        (["--controllers=perhaps"], "neither true nor false"),
        (["--webhook-service=shop/judge"], "names no Service and its address"),
        (["--webhook-service=judge=https://127.0.0.1:1"], "names no Service and its address"),
        (["--webhook-service=a/b=http://127.0.0.1:1"], "names no Service and its address"),
        (["--webhook-service=a/b=https://h:1/path"], "names no Service and its address"),
        (["--webhook-service=a/b=https://h:x"], "names no Service and its address"),
        (
            ["--webhook-service=a/b=https://h:1", "--webhook-service=a/b=https://h:2"],
            "has an address already",
        ),
        (["--event-ttl=soon"], "no duration such as 1h or 90s"),
        (["serve"], "takes flags only"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, why):
    with pytest.raises(PlatformError, match=why):
        parse(words)


def test_the_help_names_every_flag_as_go_programs_do(capsys):
    assert run("--help") == 0
    said = capsys.readouterr().out
    assert said == usage()
    assert re.search(r"(?m)^\s*--secure-port\b", said)
    assert not re.search(r"(?m)^\s*--insecure-port\b", said), "a kit would then set it"


def test_it_runs_until_it_is_told_to_stop(capfd):
    server = Standin()
    assert run("--secure-port=0", "--nonsense", server=server) == 0
    assert server.has_stopped
    said = capfd.readouterr()
    assert "is ready at https://127.0.0.1:1" in said.out
    assert "warning: --nonsense is not known here" in said.err


def test_a_start_that_fails_says_why(capsys):
    failing = Standin(PlatformError("cannot listen on 127.0.0.1:1: another process has the port", "stop it"))
    assert run(server=failing) == 1
    assert capsys.readouterr().err == (
        "error: cannot listen on 127.0.0.1:1: another process has the port\nhint: stop it\n"
    )


def test_the_programs_of_a_test_kit_are_written(tmp_path, capsys):
    assert main(["envtest-assets", str(tmp_path / "kit")], platforms=None) == 0
    said = capsys.readouterr().out
    assert f"export KUBEBUILDER_ASSETS={tmp_path / 'kit'}" in said
    for name in ("etcd", "kube-apiserver"):
        assert os.access(tmp_path / "kit" / name, os.X_OK)
    assert f"{sys.executable} -m roadbed apiserver" in (tmp_path / "kit" / "kube-apiserver").read_text()


@pytest.mark.timeout(20)
def test_the_etcd_of_a_test_kit_answers_health_and_ends_when_told(tmp_path):
    from roadbed.interfaces.cli.server.assets import write_assets

    write_assets(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    process = subprocess.Popen([tmp_path / "etcd", f"--listen-client-urls=http://127.0.0.1:{port}"])
    try:
        end = time.monotonic() + 15
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
                    assert answer.read() == b'{"health":"true","reason":""}'
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.02)
    finally:
        process.terminate()
        assert process.wait(10) == 0
