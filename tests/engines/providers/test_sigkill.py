"""SIGKILL between asking the cloud to create and hearing that it did: no second resource, ever."""

import asyncio
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLATFORM = Path(__file__).parent / "killed_platform.py"
CIDR = "10.77.0.0/16"


class Assassin:
    """Hands requests on to the cloud; once it has created a VPC, it kills the one who asked, and keeps the answer."""

    def __init__(self, cloud):
        self.victim = 0
        self.kills = 0
        assassin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = urllib.request.Request(cloud, body, dict(self.headers))
                try:
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        status, content = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, content = error.code, error.read()
                if b"Action=CreateVpc" in body and assassin.victim:
                    os.kill(assassin.victim, signal.SIGKILL)
                    assassin.victim = 0
                    assassin.kills += 1
                    return
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def assassin(moto):
    found = Assassin(moto)
    yield found
    found.close()


async def started(folder, url):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PLATFORM), str(folder), url, env=environment, stderr=asyncio.subprocess.PIPE
    )


async def test_a_killed_platform_finds_what_it_created(assassin, moto, tmp_path):
    platform = await started(tmp_path, assassin.url)
    assassin.victim = platform.pid
    await platform.communicate()
    assert platform.returncode == -signal.SIGKILL
    assert assassin.kills == 1
    platform = await started(tmp_path, assassin.url)
    _, errors = await platform.communicate()
    assert platform.returncode == 0, errors.decode()
    ec2 = boto3.client(
        "ec2", region_name="eu-central-1", endpoint_url=moto, aws_access_key_id="a", aws_secret_access_key="b"
    )
    try:
        assert [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]].count(CIDR) == 1
    finally:
        ec2.close()
