"""A real `roadbed up` in a process of its own, and the stock clients that look at it from outside."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    here = {item for item in items if Path(__file__).parent in item.path.parents}
    for item in here:
        item.add_marker(pytest.mark.acceptance)
        item.add_marker(pytest.mark.timeout(180))
    yield
    # Each file tells one story on one platform, so it keeps its order, however the rest was shuffled.
    left = [item for item in items if item in here]
    told = iter(sorted(left, key=lambda item: (str(item.path), item.location[1])))
    items[:] = [next(told) if item in here else item for item in items]


def need(program, how):
    """Give the program's path; without it skip, or fail where everything has to be there."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is missing: {how}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@dataclass
class Running:
    """One platform process and how to reach it."""

    process: subprocess.Popen
    data_dir: Path
    output: list = field(default_factory=list)

    @property
    def text(self):
        return "".join(self.output)

    @property
    def kubeconfig(self):
        return self.data_dir / "kubeconfig"

    @property
    def signin_url(self):
        return re.search(r"http://\S+/signin\?token=\S+", self.text)[0]

    @property
    def sandbox_url(self):
        return re.search(r"nothing real is created \((http://\S+)\)", self.text)[1]

    @property
    def env(self):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": path,
            "NO_COLOR": "1",
            "COLUMNS": "160",
        }

    def run(self, *command, timeout=90, check=True, stdin=None, cwd=None):
        done = subprocess.run(
            command,
            env=self.env,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            input=stdin,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def roadbed(self, *arguments, **options):
        return self.run("roadbed", *arguments, **options)

    def kubectl(self, *arguments, **options):
        return self.run(need("kubectl", "install kubectl (Debian: kubernetes-client)"), *arguments, **options)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"roadbed did not stop within {STOP_TIMEOUT_S} s:\n{self.text}") from None


def start(data_dir, *arguments):
    """Start `roadbed up` and wait until it says that it is ready."""
    command = [
        sys.executable,
        "-m",
        "roadbed",
        "up",
        "--data-dir",
        str(data_dir),
        "--api-port",
        "0",
        "--portal-port",
        "0",
    ]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    running, ready = Running(process, Path(data_dir)), threading.Event()

    def read():
        with process.stdout as lines:
            for line in lines:
                running.output.append(line)
                if "export KUBECONFIG" in line:
                    # The lines after it (notices) come in one piece with it; give the pipe a moment.
                    threading.Timer(0.3, ready.set).start()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(START_TIMEOUT_S) or process.poll() is not None:
        process.kill()
        raise AssertionError(f"roadbed up did not become ready:\n{running.text}")
    return running


@pytest.fixture(scope="session")
def start_platform():
    started = []

    def start_one(data_dir, *arguments):
        running = start(data_dir, *arguments)
        started.append(running)
        return running

    yield start_one
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def platform(start_platform, tmp_path_factory):
    return start_platform(tmp_path_factory.mktemp("platform") / "data")


@pytest.fixture
def need_program():
    return need
