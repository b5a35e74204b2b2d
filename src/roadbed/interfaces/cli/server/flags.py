"""kube-apiserver's command line, as far as a control plane without pods and etcd can mean it.

Read once per process, by ``run``. Test kits and scripts pass flags of many releases, so an unknown one is ignored
with a warning instead of ending the start; one that asks for less safety than is meant (an authorization mode that
isn't here) is refused. Words are read as Go reads them: ``--name=value``, ``--name value``, ``--switch``.

Source of names and meanings: ``kube-apiserver --help`` of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roadbed.interfaces.cli.platform import PlatformError
from roadbed.interfaces.cli.webhookservices import webhook_services

AUTHORIZERS = ("RBAC", "Node")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What ``roadbed apiserver`` was asked for. Port 0 takes a free one; None is absent.

    Without ``data_dir`` everything is in memory. ``warnings`` are sentences for stderr.
    """

    bind_address: str = "127.0.0.1"
    secure_port: int = 6443
    cert_dir: Path | None = None
    tls_cert_file: Path | None = None
    tls_private_key_file: Path | None = None
    client_ca_file: Path | None = None
    token_auth_file: Path | None = None
    service_account_issuer: str = ""
    service_account_key_file: Path | None = None
    service_account_signing_key_file: Path | None = None
    root_ca_file: Path | None = None
    event_ttl_s: float = 3_600.0
    audit_policy_file: Path | None = None
    audit_log_path: Path | None = None
    audit_log_maxsize: int = 100
    audit_log_maxbackup: int = 0
    audit_log_maxage: int = 0
    data_dir: Path | None = None
    kubeconfig: Path | None = None
    has_controllers: bool = False
    webhook_services: Mapping[str, str] = field(default_factory=dict)
    verbosity: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Flag:
    """One flag; a ``switch`` may stand without a value."""

    name: str
    form: str
    meaning: str
    is_switch: bool = False


# In the order of help. What is only here so that it is not warned of has a meaning that says so.
_FLAGS = (
    _Flag("bind-address", "ip", "Where the port listens. (default 127.0.0.1; 0.0.0.0 must be asked for)"),
    _Flag("secure-port", "int", "The HTTPS port; 0 takes a free one. (default 6443)"),
    _Flag(
        "cert-dir",
        "folder",
        "Where apiserver.crt and apiserver.key are; without them a CA and certificates are made.",
    ),
    _Flag("tls-cert-file", "file", "The serving certificate, instead of cert-dir's."),
    _Flag("tls-private-key-file", "file", "Its key."),
    _Flag("client-ca-file", "file", "The CA whose client certificates are believed."),
    _Flag("token-auth-file", "file", 'Static tokens, a line each: token,user,uid,"group1,group2".'),
    _Flag("service-account-issuer", "url", "Who issues service account tokens."),
    _Flag("service-account-key-file", "file", "The key that verifies service account tokens."),
    _Flag("service-account-signing-key-file", "file", "The key that signs them."),
    _Flag(
        "root-ca-file",
        "file",
        "kube-controller-manager's: the CA that --controllers publishes, where the certificate was given.",
    ),
    _Flag("event-ttl", "duration", "How long an Event stays after it was last written. (default 1h0m0s)"),
    _Flag("authorization-mode", "modes", "RBAC, or Node,RBAC: there are no nodes. (default RBAC)"),
    _Flag("audit-policy-file", "file", "What is kept of which request (audit.k8s.io/v1 Policy)."),
    _Flag("audit-log-path", "file", "Where audit events are written, a line each; - is standard output."),
    _Flag("audit-log-maxsize", "int", "Megabytes of a full audit log; 0 is no bound. (default 100)"),
    _Flag("audit-log-maxbackup", "int", "How many full audit logs stay; 0 is no bound. (default 0)"),
    _Flag("audit-log-maxage", "int", "Days that full audit logs stay; 0 is no bound. (default 0)"),
    _Flag("data-dir", "folder", "Roadbed's own: keep everything there instead of in memory."),
    _Flag("write-kubeconfig", "file", "Roadbed's own: where the administrator's kubeconfig is written."),
    _Flag(
        "controllers",
        "",
        "Roadbed's own: also collect garbage, delete namespaces, furnish new ones, fill in tokens.",
        is_switch=True,
    ),
    _Flag(
        "webhook-service",
        "ns/name[:port]=url",
        "Roadbed's own: where webhooks are that name this Service; again, or after a comma, for more.",
    ),
    _Flag("v", "level", "Log what changes from 2 on, everything from 4 on. (default 0)"),
    _Flag("allow-privileged", "", "Accepted: there are no pods to be privileged.", is_switch=True),
    _Flag("disable-admission-plugins", "names", "Accepted: what isn't configured isn't asked."),
    _Flag("enable-admission-plugins", "names", "Accepted: the default ones are always on."),
    _Flag("etcd-servers", "urls", "Accepted: the store is in this process."),
    _Flag("etcd-prefix", "path", "Accepted: the store is in this process."),
    _Flag("service-cluster-ip-range", "cidr", "Accepted: Services are data here."),
    _Flag("external-hostname", "name", "Accepted: addresses in answers are the caller's."),
)
_LISTS = ("webhook-service",)  # given twice, both count
_KNOWN = {flag.name: flag for flag in _FLAGS}
_PATHS = {
    "cert-dir": "cert_dir",
    "tls-cert-file": "tls_cert_file",
    "tls-private-key-file": "tls_private_key_file",
    "client-ca-file": "client_ca_file",
    "token-auth-file": "token_auth_file",
    "service-account-key-file": "service_account_key_file",
    "service-account-signing-key-file": "service_account_signing_key_file",
    "root-ca-file": "root_ca_file",
    "audit-policy-file": "audit_policy_file",
    "audit-log-path": "audit_log_path",
    "data-dir": "data_dir",
    "write-kubeconfig": "kubeconfig",
}


def usage() -> str:
    """Give the help, in the form in which Go programs print it: test kits look flags up in it."""
    lines = [
        "The Kubernetes API server alone, in one process, under kube-apiserver's flags.",
        "",
        "Usage:",
        "  roadbed apiserver [flags]",
        "",
        "Flags:",
        *(f"      {f'--{flag.name} {flag.form}'.rstrip():<42} {flag.meaning}" for flag in _FLAGS),
        f"      {'--version':<42} Print the Kubernetes version that is served.",
        f"  -h, {'--help':<42} Print this.",
        "",
        "A flag of kube-apiserver that isn't here is ignored with a warning.",
    ]
    return "\n".join(lines) + "\n"


def parse(words: Sequence[str]) -> ServerOptions:
    """Read a command line.

    Raises:
        PlatformError: a value can't be meant, or asks for what isn't here.
    """
    given, warnings = _given(words)
    _check_authorization(given.pop("authorization-mode", ""))
    values: dict[str, object] = {
        attribute: Path(given[name]) for name, attribute in _PATHS.items() if given.get(name)
    }
    if "bind-address" in given:
        values["bind_address"] = given["bind-address"]
    if "secure-port" in given:
        values["secure_port"] = _number("secure-port", given["secure-port"], most=65_535)
    if "service-account-issuer" in given:
        values["service_account_issuer"] = given["service-account-issuer"]
    for word in ("maxsize", "maxbackup", "maxage"):
        if f"audit-log-{word}" in given:
            number = _number(f"audit-log-{word}", given[f"audit-log-{word}"], most=1_000_000)
            values[f"audit_log_{word}"] = number
    if "webhook-service" in given:
        values["webhook_services"] = webhook_services(given["webhook-service"].split(","))
    if "event-ttl" in given:
        values["event_ttl_s"] = _seconds("event-ttl", given["event-ttl"])
    if "controllers" in given:
        values["has_controllers"] = _truth("controllers", given["controllers"])
    level = _number("v", given.get("v", "0"), most=10)
    values["verbosity"] = 2 if level >= 4 else 1 if level >= 2 else 0
    return ServerOptions(**values, warnings=tuple(warnings))  # type: ignore[arg-type]  # by their names


@dataclass(slots=True)
class _Words:
    """The words that are left to read."""

    left: list[str] = field(default_factory=list)

    def value(self) -> str | None:
        """Take the next word if it is a value."""
        return self.left.pop(0) if self.left and not self.left[0].startswith("-") else None


def _given(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Give the values by flag, the last one of each, and a warning for each unknown flag."""
    given: dict[str, str] = {}
    warnings = []
    rest = _Words(list(words))
    while rest.left:
        word = rest.left.pop(0)
        if not word.startswith("-") or word in {"-", "--"}:
            raise PlatformError(f'"{word}" is no flag: the API server takes flags only', _SEE_HELP)
        name, is_joined, value = word.lstrip("-").partition("=")
        flag = _KNOWN.get(name)
        if flag is None:
            rest.value()
            warnings.append(f"--{name} is not known here and was ignored")
        elif is_joined or flag.is_switch:
            word = value if is_joined else "true"
            given[name] = f"{given[name]},{word}" if name in given and name in _LISTS else word
        else:
            following = rest.left.pop(0) if rest.left else None
            if following is None:
                raise PlatformError(f"--{name} needs a value", _SEE_HELP)
            given[name] = f"{given[name]},{following}" if name in given and name in _LISTS else following
    return given, warnings


_SEE_HELP = "`roadbed apiserver --help` lists the flags"


def _check_authorization(modes: str) -> None:
    asked = [mode for mode in modes.split(",") if mode]
    unknown = [mode for mode in asked if mode not in AUTHORIZERS]
    if unknown or (asked and "RBAC" not in asked):
        raise PlatformError(
            f"--authorization-mode={modes}: only RBAC decides here (Node may stand beside it)",
            "use --authorization-mode=RBAC; members of system:masters may do everything",
        )


def _number(name: str, text: str, *, most: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise PlatformError(f"--{name}={text}: not a whole number from 0 to {most}", _SEE_HELP)
    return int(text)


def _seconds(name: str, text: str) -> float:
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.words import seconds

    try:
        return seconds(text)
    except Failure as error:
        raise PlatformError(f"--{name}={text}: no duration such as 1h or 90s", _SEE_HELP) from error


def _truth(name: str, text: str) -> bool:
    # As Go's strconv.ParseBool reads it.
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise PlatformError(f"--{name}={text}: neither true nor false", _SEE_HELP)
