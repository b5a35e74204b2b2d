"""The API server alone: the composition root of ``roadbed apiserver``, beside ``app``'s whole platform.

``start`` opens the store, access and the API server and listens, on the caller's event loop; ``stop`` undoes it in
reverse. Certificates, the client CA and tokens come from the files that kube-apiserver's flags name; without them they
are made. None of Roadbed's own kinds is served and, as with kube-apiserver, no controller runs unless asked for.
Engines, the portal and the client are not even imported, so that a test suite can start one for every test.
"""

from __future__ import annotations

import errno
import gc
import ssl
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from roadbed.apimachinery.request import User
from roadbed.apiserver import Access, ApiServer, KeyFileError, Listener, audit, givenfiles, webhooks
from roadbed.apiserver.serviceaccounts import Keys
from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.server import ServerOptions
from roadbed.storage import StorageError, open_storage

CORE = "roadbed.engines.core.plugin"
CORE_USER = User("system:engine:core", ("system:authenticated",))

_ANY = ("0.0.0.0", "::")  # noqa: S104 - looked for, to leave it out of certificates


class Server:
    """One API server in this process. Start it once; stop it once."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()

    async def start(self) -> str:
        """Start; returns once requests are served, with a sentence that says where.

        Raises:
            PlatformError: what failed and what to do; nothing is left running.
        """
        started = time.perf_counter()
        try:
            port = await self._start()
        except (StorageError, KeyFileError, audit.PolicyError) as error:
            await self.stop()
            raise PlatformError(str(error)) from error
        except BaseException:
            await self.stop()
            raise
        gc.freeze()  # modules and definitions stay: no collection need look at them again
        gc.enable()
        where = _address(self._options, port, is_shown=True)
        return f"the API server is ready at https://{where} in {time.perf_counter() - started:.2f} s"

    async def stop(self) -> None:
        """Stop everything, last started first."""
        await self._stack.aclose()

    async def _start(self) -> int:
        options = self._options
        folder = options.data_dir.expanduser().absolute() if options.data_dir else None
        if folder is not None:
            _make(folder, "--data-dir")
        storage = await open_storage(f"sqlite://{folder / 'roadbed.db'}" if folder else "memory:")
        self._stack.push_async_callback(storage.close)
        hosts = [] if options.bind_address in _ANY else [options.bind_address]
        access = Access.open(folder, storage, clock=_now, hosts=hosts, keys=_keys(options))
        self._stack.callback(access.close)
        if options.token_auth_file is not None:
            for token, user in givenfiles.tokens(options.token_auth_file):
                access.tokens.add_static(token, user)
        server = ApiServer(
            storage,
            authenticator=access.authenticator,
            authorizer=access.authorizer,
            sealer=access.sealer,
            clock=_now,
            webhooks=webhooks.Caller(options.webhook_services),
        )
        if options.service_account_issuer:
            access.accounts.issuer = options.service_account_issuer
            access.accounts.audiences = (options.service_account_issuer,)
        server.event_life_s = options.event_ttl_s
        server.register_groups()
        access.join(server)
        rotation = audit.Rotation(
            options.audit_log_maxsize, options.audit_log_maxbackup, options.audit_log_maxage
        )
        auditor = audit.open_auditor(
            options.audit_policy_file,
            options.audit_log_path,
            rotation,
            clock=_now,
            explain=access.authorizer.explain,
        )
        if auditor is not None:
            self._stack.callback(auditor.log.close)
            server.audit(auditor)
        await server.start()
        self._stack.push_async_callback(server.stop)
        if options.has_controllers:
            await self._run_core(server, access)
        port = await self._listen(server, access)
        access.accounts.address = _address(options, port)
        if options.kubeconfig is not None:
            self._write_kubeconfig(options.kubeconfig, access, port)
        return port

    async def _listen(self, server: ApiServer, access: Access) -> int:
        options = self._options
        tls = _tls(options, access)
        listener = Listener(server.asgi, host=options.bind_address, port=options.secure_port, tls=tls)
        try:
            await listener.start()
        except OSError as error:
            why = "another process has the port" if error.errno == errno.EADDRINUSE else error.strerror
            raise PlatformError(
                f"cannot listen on {options.bind_address}:{options.secure_port}: {why}",
                "choose another with --secure-port (0 takes a free one) or --bind-address",
            ) from error
        self._stack.push_async_callback(listener.stop)
        return listener.port

    async def _run_core(self, server: ApiServer, access: Access) -> None:
        # Imported here: a server without controllers starts in two thirds of the time.
        from roadbed.apiserver.serviceaccounts import LegacyTokens
        from roadbed.client import Client
        from roadbed.controller import Manager, Recorder, SystemClock
        from roadbed.plugins import EngineContext, Plugins

        client, clock = Client(server.local(CORE_USER), field_manager="roadbed-core"), SystemClock()
        manager = await self._stack.enter_async_context(Manager(client))
        for instrument in manager.instruments:
            server.add_instrument(instrument)
        root_ca = self._root_ca(access)
        filling = LegacyTokens(access.accounts, server.local(CORE_USER).call, root_ca)
        await self._stack.enter_async_context(filling.running())

        def context_for(name: str) -> EngineContext:
            return EngineContext(
                client=client,
                manager=manager,
                recorder=Recorder(client, f"roadbed-{name}", clock),
                clock=clock,
                connect=lambda user: Client(server.local(user)),
                settings={"root-ca": root_ca.decode()},
            )

        plugins = Plugins((CORE,), context_for)
        for admitter in plugins.admitters():
            server.add_admitter(admitter)
        for controller in plugins.controllers():
            manager.start(controller)

    def _root_ca(self, access: Access) -> bytes:
        """Give the CA that clients are told to believe; nothing where the certificate was given without it."""
        named = self._options.root_ca_file
        if named is not None:
            return givenfiles.authority(named)
        return b"" if _serving_files(self._options) else access.certificates.ca_pem

    def _write_kubeconfig(self, path: Path, access: Access, port: int) -> None:
        from roadbed.client import Login, write_kubeconfig

        certificates = access.certificates
        server = f"https://{_address(self._options, port)}"
        login = Login(server, certificates.ca_pem, certificates.admin_pem, certificates.admin_key_pem)
        _make(path.absolute().parent, "--write-kubeconfig")
        write_kubeconfig(path, login)


def _address(options: ServerOptions, port: int, *, is_shown: bool = False) -> str:
    """Give host and port by which a client on this machine reaches the server; as it was asked for, if shown."""
    host = "127.0.0.1" if options.bind_address in _ANY and not is_shown else options.bind_address
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def _tls(options: ServerOptions, access: Access) -> ssl.SSLContext:
    """Give the context of the port: the certificate that was given, else our own; every authority's clients."""
    given = _serving_files(options)
    if given is None:
        context = access.certificates.server_context()
    elif options.kubeconfig is not None:
        raise PlatformError(
            "--write-kubeconfig needs a certificate of our own: who signed the given one is not known here",
            "leave out --tls-cert-file (and apiserver.crt in --cert-dir), or write the kubeconfig yourself",
        )
    else:
        context = givenfiles.server_context(*given)
    if options.client_ca_file is not None:
        givenfiles.believe(context, options.client_ca_file)
    return context


def _keys(options: ServerOptions) -> Keys | None:
    """Give the keys of service account tokens that were named; None where one is to be made."""
    signing, verifying = options.service_account_signing_key_file, options.service_account_key_file
    if signing is None and verifying is None:
        return None
    if signing is None:
        raise PlatformError(
            "--service-account-key-file only verifies: who signs is not named",
            "give --service-account-signing-key-file too, or neither",
        )
    return Keys.read(signing, [verifying] if verifying else [])


def _serving_files(options: ServerOptions) -> tuple[Path, Path] | None:
    certificate, key = options.tls_cert_file, options.tls_private_key_file
    if certificate is not None and key is not None:
        return certificate, key
    if certificate is not None or key is not None:
        raise PlatformError("--tls-cert-file and --tls-private-key-file go together", "give both or none")
    if options.cert_dir is not None and (options.cert_dir / "apiserver.crt").exists():
        return options.cert_dir / "apiserver.crt", options.cert_dir / "apiserver.key"
    return None


def _make(folder: Path, option: str) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(
            f"cannot use {folder}: {error.strerror}", f"choose another with {option}"
        ) from error


def _now() -> datetime:
    return datetime.now(UTC)


__all__: Sequence[str] = ["Server"]
