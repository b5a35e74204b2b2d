"""What goes wrong, and what a person is told of it: on the object, at the terminal, in the portal.

Each message names the object, the field where there is one, and the next step; and the same words are
found by whoever looks, wherever they look. One platform for all.
"""

import base64
import html
import json
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import httpx2 as httpx
import pytest
import yaml

REGION = "eu-central-1"
GROUP = "trouble.example.org"
SECRET = "do-not-show-me-anywhere"
BOMB = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\ndata:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"  {name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdef", "bcdefg", strict=True)
    )
)


def eventually(ask, within_s=30):
    end = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {within_s} s: last answer {answer!r}"
        time.sleep(0.1)
    return answer


class MoodyCloud:
    """Answers every request as AWS does when something is wrong, in the mood that the test sets."""

    def __init__(self):
        self.status, self.code, self.headers, self.requests = 503, "SlowDown", {}, 0
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                cloud.requests += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                error = f"<Error><Code>{cloud.code}</Code><Message>In words.</Message></Error>"
                body = f"<Response><Errors>{error}</Errors></Response>".encode()
                self.send_response(cloud.status)
                for name, value in {**cloud.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def moody():
    cloud = MoodyCloud()
    yield cloud
    cloud.server.shutdown()
    cloud.server.server_close()


@pytest.fixture(scope="module")
def shop(platform, moody, api):
    """The platform with a namespace, and provider configs that lead to trouble."""
    credentials = f"[default]\naws_access_key_id = AKIATROUBLE\naws_secret_access_key = {SECRET}\n"
    secret = {"namespace": "shop", "name": "keys", "key": "credentials"}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys", "namespace": "shop"},
            "stringData": {"credentials": credentials},
        },
    ]
    for name, url, reference in (
        ("moody", moody.url, secret),
        ("down", "http://127.0.0.1:9", secret),
        ("keyless", moody.url, {**secret, "name": "lost-keys"}),
    ):
        endpoint = {
            "url": {"type": "Static", "static": url},
            "services": ["ec2", "s3"],
            "hostnameImmutable": True,
        }
        objects.append(
            {
                "apiVersion": "aws.m.upbound.io/v1beta1",
                "kind": "ClusterProviderConfig",
                "metadata": {"name": name},
                "spec": {
                    "credentials": {"source": "Secret", "secretRef": reference},
                    "endpoint": endpoint,
                    "s3_use_path_style": True,
                },
            }
        )
    platform.api = api
    lay(platform, *objects)
    return platform


@pytest.fixture(scope="module")
def browser(platform):
    """A signed-in session at the portal, without a browser's engine."""
    base = platform.signin_url.partition("/signin")[0]
    with httpx.Client(base_url=base, follow_redirects=True) as client:
        assert client.get(platform.signin_url).status_code == 200
        yield client


PLURALS = {
    "Namespace": "namespaces",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "VPC": "vpcs",
    "ClusterProviderConfig": "clusterproviderconfigs",
    "CompositeResourceDefinition": "compositeresourcedefinitions",
    "Composition": "compositions",
    "Gadget": "gadgets",
}


class Api:
    """The API over plain HTTPS, for what is only the scene of a test: a command takes half a second."""

    def __init__(self, kubeconfig, folder):
        found = yaml.safe_load(kubeconfig.read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        pair = folder / "client.pem"
        pair.write_bytes(
            base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
        )
        context.load_cert_chain(pair)
        self.http = httpx.Client(base_url=cluster["server"], verify=context, trust_env=False, timeout=30)

    def apply(self, obj):
        headers = {"content-type": "application/apply-patch+yaml"}
        options = {"fieldManager": "roadbed-cli", "force": "true"}
        path, content = self._path(obj), json.dumps(obj)

        def is_taken():
            answer = self.http.patch(path, params=options, content=content, headers=headers)
            # A kind is served some milliseconds after its definition was made.
            assert answer.status_code < 300 or answer.status_code == 404, answer.text
            return answer.status_code < 300

        eventually(is_taken)

    def get(self, obj):
        answer = self.http.get(self._path(obj))
        return answer.json() if answer.status_code == 200 else None

    def delete(self, obj):
        assert self.http.delete(self._path(obj)).status_code == 200

    @staticmethod
    def _path(obj):
        version, meta = obj["apiVersion"], obj["metadata"]
        parts = ["/apis" if "/" in version else "/api", version]
        if meta.get("namespace"):
            parts += ["namespaces", meta["namespace"]]
        return "/".join([*parts, PLURALS[obj["kind"]], meta["name"]])


@pytest.fixture(scope="module")
def api(platform, tmp_path_factory):
    found = Api(platform.kubeconfig, tmp_path_factory.mktemp("api"))
    yield found
    found.http.close()


def lay(platform, *objects):
    """Make objects, or change them, as the CLI would."""
    for obj in objects:
        platform.api.apply(obj)


def apply(platform, *objects, **options):
    """Apply objects with the CLI."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return platform.roadbed("apply", "-f", "-", stdin=json.dumps(listed), **options)


def vpc(name, config="default", **for_provider):
    return {
        "apiVersion": "ec2.aws.m.upbound.io/v1beta1",
        "kind": "VPC",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "forProvider": {"region": REGION, "cidrBlock": "10.7.0.0/16", **for_provider},
            "providerConfigRef": {"kind": "ClusterProviderConfig", "name": config},
        },
    }


def get(platform, kind, name):
    versions = {"VPC": "ec2.aws.m.upbound.io/v1beta1", "Gadget": f"{GROUP}/v1", "ConfigMap": "v1"}
    meta = {"name": name, "namespace": "shop"}
    return platform.api.get({"apiVersion": versions[kind], "kind": kind, "metadata": meta})


def condition(obj, named):
    found = obj.get("status", {}).get("conditions", ())
    return next((each for each in found if each["type"] == named), {})


def says(platform, kind, name, words, *, on="Synced"):
    """Wait until a condition says something; gives its whole message."""
    return eventually(
        lambda: words in (told := condition(get(platform, kind, name), on).get("message", "")) and told
    )


def page_of(browser, obj, name):
    group, _, version = obj["apiVersion"].rpartition("/")
    answer = browser.get(f"/c/local/{group or 'core'}/{version}/{obj['kind']}/shop/{name}")
    assert answer.status_code == 200
    text = re.sub(r"(?s)<(script|style|svg).*?</\1>|<[^>]+>", " ", answer.text)
    return " ".join(html.unescape(text).split())


def everywhere(platform, browser, obj, name, words):
    """Hold the tree, the description, kubectl and the page to the same words, none of them secret."""
    kind = obj["kind"].lower()
    seen = {
        "tree": platform.roadbed("tree", f"{kind}/{name}", "-n", "shop").stdout,
        "describe": platform.roadbed("describe", f"{kind}/{name}", "-n", "shop").stdout,
        "kubectl": platform.kubectl("describe", kind, name, "-n", "shop").stdout,
        "page": page_of(browser, obj, name),
    }
    for where, text in seen.items():
        assert words in text, f"{where}: {text}"
        assert SECRET not in text, where
    events = seen["describe"].partition("Events:")[2]
    assert "Warning" in events


TROUBLES = {
    "down": (
        "down",
        None,
        "create failed: cannot reach AWS:",
        "check the network, and spec.endpoint of ClusterProviderConfig down",
    ),
    "throttled": (
        "moody",
        (503, "SlowDown", {"Retry-After": "9"}),
        "create failed: AWS CreateVpc: In words. (SlowDown);",
        "AWS asks to slow down, retrying",
    ),
    "unknown-key": (
        "moody",
        (403, "InvalidClientTokenId", {}),
        "create failed: AWS CreateVpc: In words. (InvalidClientTokenId);",
        "check the credentials of ClusterProviderConfig moody",
    ),
    "wrong-key": (
        "moody",
        (403, "SignatureDoesNotMatch", {}),
        "create failed: AWS CreateVpc: In words. (SignatureDoesNotMatch);",
        "check the credentials of ClusterProviderConfig moody",
    ),
    "no-right": (
        "moody",
        (403, "UnauthorizedOperation", {}),
        "create failed: AWS CreateVpc: In words. (UnauthorizedOperation);",
        "give the credentials of ClusterProviderConfig moody the right to CreateVpc",
    ),
    "keyless": (
        "keyless",
        None,
        "connect failed: cannot get credentials of ClusterProviderConfig keyless:",
        "Secret shop/lost-keys does not exist; create it",
    ),
    "no-config": (
        "absent",
        None,
        "connect failed: cannot get referenced ProviderConfig:",
        "ClusterProviderConfig absent does not exist; create it",
    ),
}


LOOKED_AT = ("down", "throttled", "wrong-key", "no-config")  # from all sides; the others from one


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_with_the_cloud_is_told_everywhere(shop, browser, moody, name):
    config, mood, beginning, step = TROUBLES[name]
    if mood:
        moody.status, moody.code, moody.headers = mood
    obj = vpc(name, config)
    done = apply(shop, obj)
    assert done.stdout == f"vpc.ec2.aws.m.upbound.io/{name} created\n"
    told = says(shop, "VPC", name, step)
    assert told.startswith(beginning)
    if name in LOOKED_AT:
        everywhere(shop, browser, obj, name, step)
    else:
        assert step in page_of(browser, obj, name)
    shop.api.delete(obj)


def test_a_cloud_that_throttles_is_not_asked_again_and_again(shop, moody):
    """Its own writes used to wake a failed creation at once, hundreds of times within seconds."""
    moody.status, moody.code, moody.headers = 503, "SlowDown", {"Retry-After": "60"}
    before = moody.requests
    lay(shop, vpc("patient", "moody"))
    says(shop, "VPC", "patient", "slow down")
    done = shop.roadbed(
        "apply",
        "-f",
        "-",
        "--wait",
        "--timeout",
        "4s",
        stdin=json.dumps(vpc("patient", "moody")),
        check=False,
    )
    assert done.returncode == 1
    assert (
        "error: not ready after 4 s, vpc/patient: ReconcileError: create failed: AWS CreateVpc" in done.stderr
    )
    assert "hint: `roadbed tree vpc/patient -n shop` shows all of it" in done.stderr
    assert moody.requests - before <= 8
    shop.api.delete(vpc("patient"))


def test_what_was_deleted_at_the_cloud_comes_back_and_is_told(shop):
    lay(shop, vpc("drifting"))
    shop.kubectl("wait", "vpc/drifting", "-n", "shop", "--for=condition=Ready", "--timeout=30s")
    before = get(shop, "VPC", "drifting")["metadata"]["annotations"]["crossplane.io/external-name"]
    ec2 = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=shop.sandbox_url,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    ec2.delete_vpc(VpcId=before)
    look = f"crossplane.io/reconcile-requested-at={time.time_ns()}"
    shop.kubectl("annotate", "vpc/drifting", "-n", "shop", "--overwrite", look)

    def is_back():
        found = get(shop, "VPC", "drifting")
        name = found["metadata"]["annotations"]["crossplane.io/external-name"]
        return name != before and condition(found, "Ready").get("status") == "True" and name

    after = eventually(is_back)
    assert [each["VpcId"] for each in ec2.describe_vpcs(VpcIds=[after])["Vpcs"]] == [after]
    events = shop.roadbed("events", "--for", "vpc/drifting", "-n", "shop").stdout
    assert "CreatedExternalResource" in events
    assert after in shop.roadbed("tree", "vpc/drifting", "-n", "shop").stdout
    shop.roadbed("delete", "vpc/drifting", "-n", "shop")
    assert after not in str(ec2.describe_vpcs()["Vpcs"])


def definition(spec):
    return {
        "apiVersion": "apiextensions.crossplane.io/v2",
        "kind": "CompositeResourceDefinition",
        "metadata": {"name": f"gadgets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "referenceable": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
                }
            ],
        },
    }


SIZES = {"type": "object", "properties": {"size": {"type": "string"}, "owner": {"type": "string"}}}


def composition(*patches, function="function-patch-and-transform", **base):
    settings = {
        "name": "settings",
        "base": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, **base},
        "readinessChecks": [{"type": "None"}],
        "patches": [{"type": "FromCompositeFieldPath", **patch} for patch in patches],
    }
    inputs = {"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": [settings]}
    return {
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "Composition",
        "metadata": {"name": "gadgets"},
        "spec": {
            "compositeTypeRef": {"apiVersion": f"{GROUP}/v1", "kind": "Gadget"},
            "mode": "Pipeline",
            "pipeline": [{"step": "compose", "functionRef": {"name": function}, "input": inputs}],
        },
    }


def gadget(name, **spec):
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gadget",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def well(platform, name):
    """Wait until a gadget is well, and nothing of earlier trouble is left on it."""

    def ask():
        found = get(platform, "Gadget", name)
        statuses = {condition(found, each).get("status") for each in ("Synced", "Ready")}
        return statuses == {"True"} and found

    found = eventually(ask)
    assert [each for each in found["status"]["conditions"] if each.get("message")] == []
    return found


COMPOSITIONS = {
    "a missing function": (
        composition(function="function-nope"),
        'step "compose": function "function-nope" is not installed: create a Function object of that name',
    ),
    "a missing field": (
        composition(colour="blue"),
        ".colour: field not declared in schema; see Composition gadgets",
    ),
    "a wrong input": (
        composition({"toFieldPath": "data.size"}),
        "resources[0].patches[0].fromFieldPath: Required value: fromFieldPath must be set",
    ),
}


def test_a_composition_that_can_not_work_is_told_and_forgotten_once_mended(shop, browser):
    size = {"fromFieldPath": "spec.size", "toFieldPath": "data.size"}
    lay(shop, definition(SIZES), composition(size), gadget("g", size="small"))
    well(shop, "g")
    for change, words in COMPOSITIONS.values():
        lay(shop, change)
        says(shop, "Gadget", "g", words)
        everywhere(shop, browser, gadget("g"), "g", words)
        lay(shop, composition(size))
        well(shop, "g")


def test_an_absent_source_is_named_if_it_is_required_and_no_trouble_if_not(shop, browser):
    size = {"fromFieldPath": "spec.size", "toFieldPath": "data.size"}
    owner = {"fromFieldPath": "spec.owner", "toFieldPath": "data.owner"}
    lay(shop, definition(SIZES), composition(size, owner), gadget("optional", size="small"))
    well(shop, "optional")
    lay(shop, composition(size, {**owner, "policy": {"fromFieldPath": "Required"}}))
    order = gadget("required", size="small")
    done = shop.roadbed("apply", "-f", "-", "--wait", "--timeout", "2s", stdin=json.dumps(order), check=False)
    words = "spec.owner: no such field; give it a value, or make the patch optional"
    assert done.returncode == 1
    assert words in done.stderr
    assert 'composed resource "settings"' in says(shop, "Gadget", "required", words, on="Ready")
    everywhere(shop, browser, order, "required", words)
    lay(shop, gadget("required", size="small", owner="me"))
    well(shop, "required")
    lay(shop, composition(size))


def test_a_definition_that_changes_under_live_composites_leaves_them_alone(shop, browser):
    size = {"fromFieldPath": "spec.size", "toFieldPath": "data.size"}
    lay(shop, definition(SIZES), composition(size), gadget("old", size="small"))
    well(shop, "old")

    properties = {**SIZES["properties"], "team": {"type": "string"}}
    lay(shop, definition({**SIZES, "properties": properties, "required": ["team"]}))

    def refused():
        done = apply(shop, gadget("old", size="large"), check=False)
        return done.returncode and done.stderr

    told = eventually(refused)
    assert 'Gadget.trouble.example.org "old" is invalid: spec.team: Required value' in told
    assert "hint: correct the fields that it names" in told
    assert well(shop, "old")["spec"]["size"] == "small"
    # What it would now have to write is refused like anybody's change, and says what has to be given.
    lay(shop, composition(size, data={"a": "later"}))
    words = 'Gadget.trouble.example.org "old" is invalid: spec.team: Required value'
    assert says(shop, "Gadget", "old", words).endswith("its definition has changed: give it what is named")
    everywhere(shop, browser, gadget("old"), "old", words)
    lay(shop, gadget("old", size="large", team="blue"))
    well(shop, "old")

    wrong = {**SIZES, "properties": {**SIZES["properties"], "bad": {"properties": {}}}}
    applied = shop.roadbed("apply", "-f", "-", stdin=json.dumps(definition(wrong)), check=False, timeout=120)
    words = (
        "properties[spec].properties[bad].type: Required value: must not be empty for specified object fields"
    )
    assert applied.returncode == 1
    assert f"error: not accepted, compositeresourcedefinition/gadgets.{GROUP}: " in applied.stderr
    assert words in applied.stderr
    assert words in shop.roadbed("describe", "xrd", f"gadgets.{GROUP}").stdout
    assert words in shop.kubectl("describe", "xrd", f"gadgets.{GROUP}").stdout
    page = browser.get(
        f"/c/local/apiextensions.crossplane.io/v2/CompositeResourceDefinition/-/gadgets.{GROUP}"
    ).text
    assert words in html.unescape(page)
    well(shop, "old")
    lay(shop, definition({**SIZES, "properties": properties}))


def test_owners_in_a_circle_can_be_deleted(shop):
    names = ("ring-a", "ring-b", "ring-c")
    rings = {
        name: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}
        for name in names
    }
    lay(shop, *rings.values())
    for name, owner in zip(names, ("ring-b", "ring-c", "ring-a"), strict=True):
        uid = get(shop, "ConfigMap", owner)["metadata"]["uid"]
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner,
            "uid": uid,
            "blockOwnerDeletion": True,
        }
        rings[name]["metadata"]["ownerReferences"] = [reference]
    lay(shop, *rings.values())
    assert all(get(shop, "ConfigMap", name) for name in names)
    shop.kubectl("delete", "configmap", "ring-a", "-n", "shop", "--cascade=foreground", "--timeout=20s")
    eventually(lambda: not any(get(shop, "ConfigMap", name) for name in names))


FILES = {
    "a YAML bomb": (BOMB, "line 9: aliases stand for more than 100000 values", "excessive aliasing"),
    "a key twice": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nspec:\n  b: 1\n  b: 2\n",
        'line 6: key "b" already set in map',
        "",
    ),
    "3 MB": (
        f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big}}\ndata: {{a: "{"x" * 3_000_000}"}}\n',
        "than the 1500000 that can be stored; split it or keep large content elsewhere",
        "split",
    ),
    "200 kB in a label": (
        f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big, labels: {{a: "{"x" * 200_000}"}}}}\n',
        'metadata.labels: Invalid value: "xxx',
        "must be no more than 63",
    ),
    "deep": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\ndata: " + "{a: " * 3000 + "1" + "}" * 3000,
        "line 4: nested deeper than 200 levels",
        "BadRequest",
    ),
    "a NUL": (
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "n\\0"}\n',
        "ConfigMap n\\x00",
        "metadata.name",
    ),
    "no namespace": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: nowhere}\n",
        "hint: `kubectl create namespace nowhere` makes it",
        'namespaces "nowhere" not found',
    ),
    "no kind": (
        "apiVersion: platform.example.org/v1\nkind: Database\nmetadata: {name: a}\n",
        "hint: Database is served in platform.example.org/v1alpha1: correct apiVersion",
        'no matches for kind "Database"',
    ),
    "a definition that is not structural": (
        json.dumps(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "things.bad.example.org"},
                "spec": {
                    "group": "bad.example.org",
                    "scope": "Namespaced",
                    "names": {"plural": "things", "kind": "Thing"},
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "schema": {
                                "openAPIV3Schema": {
                                    "type": "object",
                                    "properties": {"spec": {"properties": {}}},
                                }
                            },
                        }
                    ],
                },
            }
        ),
        "spec.validation.openAPIV3Schema.properties[spec].type: Required value",
        "spec.validation.openAPIV3Schema.properties[spec].type: Required value",
    ),
}


@pytest.mark.parametrize("case", sorted(FILES))
def test_a_file_that_can_not_be_applied_says_why_to_both_clients(shop, tmp_path, case):
    text, ours, theirs = FILES[case]
    path = tmp_path / "it.yaml"
    path.write_text(text)
    for run, words in ((shop.roadbed, ours), (shop.kubectl, theirs)):
        if not words:
            continue  # the stock client drops the first of two keys before it sends anything
        done = run("apply", "-f", str(path), check=False)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert "unknown reason" not in done.stderr
        if run == shop.roadbed:
            assert "it.yaml" in done.stderr
            assert len(done.stderr) < 5000


def test_an_object_just_below_the_limit_is_taken_from_both_clients(shop, tmp_path):
    for run, name in ((shop.roadbed, "large-a"), (shop.kubectl, "large-b")):
        path = tmp_path / f"{name}.json"
        meta = {"name": name, "namespace": "shop"}
        path.write_text(
            json.dumps(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "x" * 1_300_000}}
            )
        )
        run("apply", "--server-side", "-f", str(path)) if run == shop.kubectl else run(
            "apply", "-f", str(path)
        )
        assert len(get(shop, "ConfigMap", name)["data"]["a"]) == 1_300_000


def test_after_all_of_it_the_platform_is_well_and_kept_its_secrets(shop):
    status = json.loads(shop.roadbed("status", "-o", "json").stdout)
    assert status["ready"] is True
    assert SECRET not in shop.text
    assert "Traceback" not in shop.text
    assert SECRET not in shop.kubectl("get", "events", "-A", "-o", "yaml").stdout
