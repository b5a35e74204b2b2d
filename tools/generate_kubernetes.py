"""Generate the data of the built-in kinds, from the Go modules that Kubernetes publishes.

Run by a developer, never by users or tests: ``python tools/generate_kubernetes.py``. Writes
``src/roadbed/apis/kubernetes/schemas.json.xz`` (OpenAPI v3 schemas with their ``x-kubernetes-*`` facts,
without prose), ``descriptors.pb.xz`` (a FileDescriptorSet of the ``generated.proto`` files) and
``messages.json.xz`` (what the Go types say of those messages' JSON form). All are deterministic: the same release gives the same bytes.

Needs ``go`` on the PATH (only to download modules; nothing is built) and ``grpcio-tools`` in the running
Python for its protoc, for example from a throw-away virtual environment.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RELEASE = "1.35.4"
OUTPUT = Path(__file__).resolve().parents[1] / "src/roadbed/apis/kubernetes"
GNOSTIC = ("github.com/google/gnostic-models", "v0.7.0")  # the form in which clients take OpenAPI v2
PROTO_MODULES = ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver")
BUDGET_BYTES = 400_000


def download(module: str, version: str) -> Path:
    """Give the unpacked folder of one Go module, downloading it when absent."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "go.mod").write_text("module reading\n")
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module}@{version}"],
            cwd=folder,
            env={**os.environ, "GOFLAGS": "-mod=mod"},
            check=True,
            capture_output=True,
        )
    return Path(json.loads(done.stdout)["Dir"])


def without_prose(schema: Any) -> Any:
    """Drop descriptions and examples (of schemas; a *property* may well be called so)."""
    if isinstance(schema, list):
        return [without_prose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ("description", "example") and isinstance(value, str):
            continue
        if word == "properties":
            kept[word] = {name: without_prose(inner) for name, inner in value.items()}
        elif word == "default":
            kept[word] = value
        else:
            kept[word] = without_prose(value)
    return kept


def schemas(kubernetes: Path) -> bytes:
    """Give all definitions of all published group versions as one JSON document."""
    found: dict[str, Any] = {}
    for path in sorted((kubernetes / "api/openapi-spec/v3").glob("*.json")):
        components = json.loads(path.read_text()).get("components", {})
        for name, schema in components.get("schemas", {}).items():
            slim = without_prose(schema)
            if found.setdefault(name, slim) != slim:
                sys.exit(f"{path}: {name} differs from what another document says of it")
    document = {"version": f"v{RELEASE}", "schemas": dict(sorted(found.items()))}
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def descriptors(modules: dict[str, Path]) -> bytes:
    """Compile every ``generated.proto`` and gnostic's to one FileDescriptorSet, without comments."""
    import grpc_tools
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names: list[str] = []
        for module, source in modules.items():
            (root / module).parent.mkdir(parents=True, exist_ok=True)
            (root / module).symlink_to(source)
            names += sorted(
                f"{module}/{path.relative_to(source)}" for path in source.rglob("generated.proto")
            )
        (root / "openapiv2").symlink_to(download(*GNOSTIC) / "openapiv2")
        target = root / "set.pb"
        places = [f"-I{root}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
        files = [*sorted(names), "openapiv2/OpenAPIv2.proto"]
        failed = protoc.main(
            ["protoc", *places, "--include_imports", f"--descriptor_set_out={target}", *files]
        )
        if failed:
            sys.exit("protoc failed; its message is above")
        return target.read_bytes()


_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_SLICE = re.compile(r"^type (\w+) \[\]", re.MULTILINE)
_FIELD = re.compile(
    r'^\t(?:\w+[ \t]+)?(\*?)\S+[ \t]+`[^`]*?json:"([^"]*)"[^`]*?protobuf:"[^"]*?name=(\w+)', re.MULTILINE
)


def messages(modules: dict[str, Path]) -> bytes:
    """Give what JSON makes of each message where the descriptor can't say: names, omission, inlining.

    By message, by field name: the JSON name, then letters: ``p`` a pointer (present means said), ``o``
    omitted when empty, ``z`` omitted when a struct of zeros, ``i`` inlined. A message that JSON writes as a bare list is the string ``list``.
    """
    found: dict[str, Any] = {}
    for module, source in modules.items():
        for proto in sorted(source.rglob("generated.proto")):
            package = f"{module}/{proto.parent.relative_to(source)}".replace("/", ".").replace("-", "_")
            texts = [
                path.read_text()
                for path in sorted(proto.parent.glob("*.go"))
                if not path.name.endswith("_test.go") and "generated" not in path.name
            ]
            for text in texts:
                for name, body in _STRUCT.findall(text):
                    if fields := dict(_field(*match) for match in _FIELD.findall(body)):
                        found[f"{package}.{name}"] = fields
                found.update({f"{package}.{name}": "list" for name in _SLICE.findall(text)})
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()


def _field(pointer: str, tag: str, proto_name: str) -> tuple[str, list[str]]:
    json_name, *options = tag.split(",")
    letters = "p" if pointer else ""
    if "omitempty" in options or "omitzero" in options:
        letters += "o"
    if "omitzero" in options:
        letters += "z"
    if "inline" in options or not json_name:
        letters += "i"
    return proto_name, [json_name, letters]


def pack(name: str, content: bytes) -> int:
    """Write one compressed file; gives its size."""
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    (OUTPUT / name).write_bytes(packed)
    print(f"{name}: {len(content):,} bytes, {len(packed):,} packed")
    return len(packed)


def main() -> None:
    """Download, generate, write, and hold the size budget."""
    kubernetes = download("k8s.io/kubernetes", f"v{RELEASE}")
    staging = f"v0.{RELEASE.partition('.')[2]}"
    modules = {module: download(module, staging) for module in PROTO_MODULES}
    total = pack("schemas.json.xz", schemas(kubernetes))
    total += pack("descriptors.pb.xz", descriptors(modules))
    total += pack("messages.json.xz", messages(modules))
    if total > BUDGET_BYTES:
        sys.exit(f"{total:,} bytes are over the budget of {BUDGET_BYTES:,}")


if __name__ == "__main__":
    main()
