"""``roadbed kubeconfig``: where the kubeconfig is that every command here uses, what is in it, or one for somebody.

For somebody it needs no server: the data folder's CA signs a client certificate. Who has it is that user, in those
groups, until it ends; what they may is for roles to say.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from roadbed.interfaces.cli.invocation import Invocation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("kubeconfig")(kubeconfig)


def kubeconfig(
    context: typer.Context,
    given: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Another one than is found.", show_default=False)
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print its content, credentials included.")] = False,
    user: Annotated[
        str,
        typer.Option("--user", metavar="NAME", help="Print one for this user, with a client certificate."),
    ] = "",
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME", help="A group that the user is in; repeat it."),
    ] = None,
    duration: Annotated[str, typer.Option(help="How long the certificate is good: 8h, 30d.")] = "30d",
    data_dir: Annotated[
        Path, typer.Option(envvar="ROADBED_DATA_DIR", help="Whose certificate authority signs it.")
    ] = Path(".roadbed"),
) -> None:
    """Print the path of the kubeconfig in use: --kubeconfig, $KUBECONFIG, the data folder's, your own.

    Every Kubernetes client takes it: export KUBECONFIG=$(roadbed kubeconfig)

    For somebody else: roadbed kubeconfig --user ann --group team-shop > ann.kubeconfig
    """
    if user:
        sys.stdout.write(_for_somebody(context.obj, user, group or [], duration, data_dir))
        return
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.session import kubeconfig_path

    invocation: Invocation = context.obj
    path = kubeconfig_path(given or invocation.kubeconfig)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(
            "cannot read the kubeconfig",
            about=str(path),
            why=error.strerror or str(error),
            hint="`roadbed up` writes one into its data folder; or use --kubeconfig",
            code=4 if isinstance(error, FileNotFoundError) else 1,
        ) from error
    sys.stdout.write(text if raw else f"{path.absolute()}\n")


def _for_somebody(invocation: Invocation, user: str, groups: list[str], duration: str, data_dir: Path) -> str:
    """Give a kubeconfig with a new certificate, for the server that the data folder's own kubeconfig names."""
    import base64

    import yaml

    from roadbed.interfaces.cli.failures import Failure, usage

    life = _duration(duration)
    if life is None:
        raise usage(f"{duration} is no duration", hint="write a number with h or d, at least 10m: 8h, 30d")
    if "system:masters" in groups:
        raise Failure(
            "nobody is given a certificate of system:masters: no role limits it, and it can't be taken back",
            hint="use --group roadbed:admins, whose rights come from a binding",
        )
    path = data_dir / "kubeconfig"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(
            "cannot read the data folder's kubeconfig",
            about=str(path),
            why=error.strerror or str(error),
            hint="`roadbed up` writes it; or name another folder with --data-dir",
        ) from error
    if invocation.maintenance is None:
        raise RuntimeError("the command was started without its means to issue credentials")
    credential = invocation.maintenance().issue(data_dir, user, groups, life)
    (cluster,) = document["clusters"]
    held = {
        "client-certificate-data": base64.b64encode(credential.certificate_pem).decode(),
        "client-key-data": base64.b64encode(credential.key_pem).decode(),
    }
    context = {"cluster": cluster["name"], "user": user, "namespace": "default"}
    text: str = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [{"name": user, "user": held}],
            "contexts": [{"name": user, "context": context}],
            "current-context": user,
        },
        sort_keys=False,
    )
    return text


def _duration(text: str) -> timedelta | None:
    """Read a number with its unit; None is no duration, or one of less than ten minutes or more than ten years."""
    units = {"m": 60, "h": 3_600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in units or len(number) > 9:
        return None
    life = timedelta(seconds=min(int(number) * units[unit], 10**9))
    return life if timedelta(minutes=10) <= life <= timedelta(days=3650) else None
