"""AWS accounts: boto3 sessions and clients per provider config, and the threads that calls run in.

One ``Accounts`` serves all AWS kinds of the process. A session is kept as long as config and Secret stay
the same revision, at most ``KEPT`` of them. boto3 is imported on first use (25 MB, 0.2 s). Calls run in a
thread pool of their own, so that a slow cloud never blocks the loop nor anybody else's threads; socket
timeouts bound each call. Controllers ``use`` it while they run; the last to ``release`` it closes it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import annotations_of, metadata, namespace_of, revision_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.aws import CLUSTER_PROVIDER_CONFIGS, LEGACY_PROVIDER_CONFIGS, PROVIDER_CONFIGS
from roadbed.apis.core import SECRETS
from roadbed.client import Client
from roadbed.controller import Clock
from roadbed.engines.providers.connection import decoded
from roadbed.engines.providers.external import CredentialsError, ExternalError, UnsupportedFieldError

from . import errors
from .credentials import AMBIENT, PROFILE, Endpoint, Keys, parse_endpoint, parse_keys
from .limits import TokenBucket
from .roles import Role, assumed, parse_roles

KEPT = 64  # sessions; each costs about 2 MB, because service models are shared
THREADS = 16
STS_REGION = "us-east-1"  # where roles are assumed when nothing names a region; any gives the same
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 30.0

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


class Models:
    """AWS's service models, loaded once for all accounts: 33 MB for EC2, RDS and S3, which each session would repeat.

    ``lock`` is held while a session or client is made: making them is not thread-safe, using them is.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._loader: Any = None

    def session(self, **options: Any) -> Any:
        """Give a new boto3 session; call with ``lock`` held."""
        import boto3
        import botocore.session
        from botocore.loaders import create_loader

        if self._loader is None:
            self._loader = create_loader()
        core = botocore.session.Session(profile=options.pop("profile_name", None))
        core.register_component("data_loader", self._loader)
        return boto3.session.Session(botocore_session=core, **options)


class Aws:
    """One account in one region, as adapters use it: from worker threads only."""

    def __init__(self, account: Account, region: str) -> None:
        self._account = account
        self.region = region

    def client(self, service: str) -> Any:
        """Give the boto3 client of a service."""
        return self._account.client(service, self.region)

    @property
    def partition(self) -> str:
        """The partition for ARNs: aws, aws-cn, aws-us-gov…"""
        return str(self._account.session().get_partition_for_region(self.region))


@dataclass(slots=True)
class Account:
    """One provider config at one revision: credentials, endpoint, and the boto3 clients made from them."""

    label: str
    keys: Keys | None
    profile: str
    endpoint: Endpoint
    path_style: bool
    bucket: TokenBucket
    threads: ThreadPoolExecutor
    models: Models
    roles: tuple[Role, ...] = ()
    _session: Any = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def call(
        self,
        function: Callable[Concatenate[Aws, Params], Answer],
        region: str,
        changing: bool,
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Answer:
        """Run ``function(aws, ...)`` in a thread, within the account's rate.

        Raises:
            ExternalError: translated from what boto3 raised.
        """
        await self.bucket.take()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.threads, lambda: self._guarded(function, region, changing, *args, **kwargs)
        )

    def _guarded(
        self,
        function: Callable[Concatenate[Aws, Params], Answer],
        region: str,
        changing: bool,
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Answer:
        try:
            return function(Aws(self, region), *args, **kwargs)
        except ExternalError:
            raise
        except Exception as error:
            if errors.is_aws(error):
                raise errors.translated(error, through=self.label, changing=changing) from error
            raise

    def session(self) -> Any:
        """Give the boto3 session."""
        with self.models.lock:
            return self._opened()

    def client(self, service: str, region: str) -> Any:
        """Give the boto3 client of a service in a region; safe to use from several threads."""
        with self.models.lock:
            made = self._clients.get((service, region))
            if made is None:
                made = self._clients[service, region] = self._made(service, region)
            return made

    def close(self) -> None:
        """Close all connections; calls that are under way finish, a later one connects anew."""
        with self.models.lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _opened(self) -> Any:
        if self._session is None:
            if self.keys is not None:
                session = self.models.session(
                    aws_access_key_id=self.keys.access_key_id,
                    aws_secret_access_key=self.keys.secret_access_key,
                    aws_session_token=self.keys.session_token or None,
                )
            else:
                session = self.models.session(profile_name=self.profile or None)
            self._session = self._in_role(session) if self.roles else session
        return self._session

    def _in_role(self, session: Any) -> Any:
        def make_client(service: str, **credentials: Any) -> Any:
            with self.models.lock:
                return self._configured(session, service, session.region_name or STS_REGION, **credentials)

        session._session._credentials = assumed(session.get_credentials(), self.roles, make_client)  # noqa: SLF001 - botocore's own way to set them
        return session

    def _made(self, service: str, region: str) -> Any:
        return self._configured(self._opened(), service, region)

    def _configured(self, session: Any, service: str, region: str, **options: Any) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            # One try: the reconciler retries, with the reason in the condition and no thread asleep.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=THREADS,
            s3={"addressing_style": "path"} if self.path_style else None,
            user_agent_extra="roadbed",
        )
        url = self.endpoint.url_for(service, region)
        return session.client(service, region_name=region, endpoint_url=url, config=config, **options)


class Accounts:
    """Finds the account of a managed object, through its provider config."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: OrderedDict[tuple[str, ...], Account] = OrderedDict()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")
        self._models = Models()
        self._users = 0

    def use(self) -> None:
        """Count one more user; each calls ``release`` at its end."""
        self._users += 1

    def release(self) -> None:
        """Count one user less; the last one closes connections and ends the threads."""
        self._users -= 1
        if self._users:
            return
        self._threads.shutdown(wait=False, cancel_futures=True)
        for account in self._kept.values():
            account.close()
        self._kept.clear()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")  # costs nothing until used

    async def of(self, managed: Object, *, legacy: bool) -> Account:
        """Give the account that the object's ``providerConfigRef`` leads to.

        Raises:
            ExternalError: config or Secret is missing or unusable; the message names it.
        """
        resource, name, namespace = config_of(managed, legacy=legacy)
        label = f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"
        config = await self._client.find(resource, name, namespace)
        if config is None:
            raise CredentialsError(f"cannot get referenced ProviderConfig: {label} does not exist; create it")
        secret = await self._secret(config, label, namespace)
        # The generation, not the revision: a status write must not cost a new session. The profile is an annotation.
        generation = str(metadata(config).get("generation") or 0)
        profile = annotations_of(config).get(PROFILE, "")
        key = (uid_of(config), generation, profile, revision_of(secret) if secret else "")
        account = self._kept.get(key)
        if account is None:
            account = self._kept[key] = self._open(config, secret, label)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)[1].close()
        self._kept.move_to_end(key)
        return account

    async def _secret(self, config: Object, label: str, namespace: str) -> Object | None:
        credentials = config["spec"].get("credentials") or {}
        if credentials.get("source") != "Secret":
            return None
        ref = credentials.get("secretRef") or {}
        # A namespaced config may only read Secrets beside it, whatever namespace it names.
        home = namespace or str(ref.get("namespace") or "")
        where = f"Secret {home}/{ref.get('name')}"
        if not ref.get("name") or not ref.get("key"):
            raise CredentialsError(f"{label} has no spec.credentials.secretRef; name the Secret and its key")
        secret = await self._client.find(SECRETS, ref["name"], home)
        if secret is None:
            raise CredentialsError(f"cannot get credentials of {label}: {where} does not exist; create it")
        if ref["key"] not in (secret.get("data") or {}):
            raise CredentialsError(f"cannot get credentials of {label}: {where} has no key {ref['key']!r}")
        return secret

    def _open(self, config: Object, secret: Object | None, label: str) -> Account:
        spec = config["spec"]
        source = (spec.get("credentials") or {}).get("source")
        keys = None
        if secret is not None:
            ref = spec["credentials"]["secretRef"]
            keys = parse_keys(
                decoded(secret).get(ref["key"], ""), f"key {ref['key']} of Secret {ref['name']} ({label})"
            )
        elif source not in AMBIENT:
            raise UnsupportedFieldError(
                f"{label}: credentials source {source!r} is not supported;"
                " use Secret, or IRSA for this process's own environment"
            )
        return Account(
            label=label,
            keys=keys,
            profile=annotations_of(config).get(PROFILE, ""),
            endpoint=parse_endpoint(spec, label),
            path_style=bool(spec.get("s3_use_path_style")),
            bucket=TokenBucket(self._clock),
            threads=self._threads,
            models=self._models,
            roles=parse_roles(spec.get("assumeRoleChain") or (), label),
        )


def config_of(managed: Object, *, legacy: bool) -> tuple[Resource, str, str]:
    """Give resource, name and namespace of the provider config that an object refers to.

    Raises:
        ExternalError: the reference names a kind that is no provider config.
    """
    ref = managed["spec"].get("providerConfigRef") or {}
    name = str(ref.get("name") or "default")
    if legacy:
        return LEGACY_PROVIDER_CONFIGS, name, ""
    match ref.get("kind") or "ClusterProviderConfig":
        case "ClusterProviderConfig":
            return CLUSTER_PROVIDER_CONFIGS, name, ""
        case "ProviderConfig":
            return PROVIDER_CONFIGS, name, namespace_of(managed)
        case other:
            raise CredentialsError(
                f"spec.providerConfigRef.kind {other!r} is no provider config;"
                " use ClusterProviderConfig or ProviderConfig"
            )
