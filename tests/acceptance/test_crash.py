"""A platform killed between asking the cloud and writing down its answer: nothing is ever created twice."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def cloud():
    """moto in a process that outlives the platform under test."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < end, "moto did not start"
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait()


class Gate:
    """A proxy before the cloud that carries a request out and holds its answer back."""

    def __init__(self, cloud, holds):
        self.held = threading.Event()
        self.carried = 0
        gate, target = self, urlsplit(cloud)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def carry(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in {"connection", "expect"}}
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                content = answer.read()
                if holds(self.command, self.path, body) and answer.status < 300:
                    gate.carried += 1
                    if not gate.held.is_set():
                        gate.held.set()
                        return  # done at the cloud, and nobody will ever hear of it
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = carry

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def provider_config(url):
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "roadbed-system"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws-credentials", "namespace": "roadbed-system"},
            "stringData": {"credentials": "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"},
        },
        {
            "apiVersion": "aws.m.upbound.io/v1beta1",
            "kind": "ClusterProviderConfig",
            "metadata": {"name": "default"},
            "spec": {
                "credentials": {
                    "source": "Secret",
                    "secretRef": {
                        "namespace": "roadbed-system",
                        "name": "aws-credentials",
                        "key": "credentials",
                    },
                },
                "endpoint": {
                    "url": {"type": "Static", "static": url},
                    "services": ["ec2", "s3", "rds", "sts", "iam"],
                    "hostnameImmutable": True,
                },
                "s3_use_path_style": True,
            },
        },
    ]


def managed(group, kind, name, **for_provider):
    return {
        "apiVersion": f"{group}.aws.m.upbound.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"forProvider": {"region": REGION, **for_provider}},
    }


def conditions(running, resource, name):
    found = json.loads(running.roadbed("get", resource, name, "-n", "default", "-o", "json").stdout)
    return {c["type"]: c for c in found.get("status", {}).get("conditions", ())}


def eventually(ask, within_s=60):
    end = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {within_s} s: {answer!r}"
        time.sleep(0.1)
    return answer


@pytest.fixture
def killed(cloud, start_platform, tmp_path):
    """Order something, kill the platform once the cloud has done it, start the platform again."""

    def story(holds, obj):
        gate = Gate(cloud, holds)
        first = start_platform(tmp_path / "data", "--no-demo")
        for each in [*provider_config(gate.url), obj]:
            first.roadbed("apply", "-f", "-", stdin=json.dumps(each))
        assert gate.held.wait(60), "the order never reached the cloud"
        first.stop(signal.SIGKILL)
        return gate, start_platform(tmp_path / "data", "--no-demo")

    return story


def client(service, url):
    return boto3.client(
        service, region_name=REGION, endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b"
    )


def test_a_thing_with_a_name_of_ours_is_found_again(killed, cloud):
    bucket = managed("s3", "Bucket", "killed-bucket")
    gate, running = killed(lambda verb, path, _: verb == "PUT" and path.strip("/") == "killed-bucket", bucket)
    eventually(
        lambda: (
            conditions(running, "buckets.s3.aws.m.upbound.io", "killed-bucket").get("Ready", {}).get("status")
            == "True"
        )
    )
    assert gate.carried == 1
    assert [b["Name"] for b in client("s3", cloud).list_buckets()["Buckets"]] == ["killed-bucket"]


def test_a_thing_that_the_cloud_names_is_found_by_its_mark_or_not_made_again(killed, cloud):
    vpc = managed("ec2", "VPC", "killed-vpc", cidrBlock="10.99.0.0/16")
    gate, running = killed(
        lambda *request: parse_qs(request[2].decode(errors="replace")).get("Action") == ["CreateVpc"], vpc
    )

    def decided():
        known = conditions(running, "vpcs.ec2.aws.m.upbound.io", "killed-vpc")
        is_found = known.get("Ready", {}).get("status") == "True"
        asks = "external-create-pending" in known.get("Synced", {}).get("message", "")
        return is_found or asks

    eventually(decided)
    made = [v for v in client("ec2", cloud).describe_vpcs()["Vpcs"] if v["CidrBlock"] == "10.99.0.0/16"]
    assert len(made) == 1
    assert gate.carried == 1
