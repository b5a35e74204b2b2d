"""The template environment: what templates may call, and where static files are.

Made once at start. Templates are escaped everywhere and strict: a name that does not exist is an error in
a test, never an empty spot on a page.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from jinja2.utils import missing
from markupsafe import Markup

from . import links, words, yamlview
from .forms.model import token_of
from .forms.placing import has_errors
from .settings import WebSettings

HERE = Path(str(files("roadbed.interfaces.web")))
STATIC = HERE / "static"
SHOWN_STATES = ("healthy", "progressing", "degraded", "missing", "suspended", "unknown")


class _Lenient(jinja2.ChainableUndefined):
    """What an object does not have is empty: objects come from anywhere. What a template misspells is an error."""

    def __new__(cls, hint: str | None = None, obj: Any = missing, *members: Any, **named: Any) -> Any:
        """Give a strict stand-in for an unknown name, a lenient one for an unknown member."""
        if obj is missing:
            return jinja2.StrictUndefined(hint, obj, *members, **named)
        return super().__new__(cls)


def environment(settings: WebSettings) -> jinja2.Environment:
    """Give the environment with the portal's filters and globals."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=_Lenient,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        age=lambda text: words.age(str(text or ""), settings.now()),
        label=words.label,
        count=words.count,
        shorten=words.shorten,
        yaml_lines=yamlview.highlight,
        to_yaml=yamlview.dump,
    )
    made.tests["has_errors"] = has_errors
    made.globals.update(
        icon=_icon,
        asset=_asset,
        states=SHOWN_STATES,
        path_of=partial(links.path_of, settings.cluster),
        object_path=partial(links.object_path, settings.cluster),
        entity_path=links.entity_path,
        list_path=links.list_path,
        create_path=links.create_path,
        with_query=links.with_query,
        token_of=token_of,
    )
    return made


@lru_cache(maxsize=512)
def _icon(name: str, title: str = "") -> Markup:
    """Give an icon from the sprite; without a title it is decoration."""
    spoken = Markup('role="img" aria-label="{}"').format(title) if title else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {}><use href="{}#{}"/></svg>').format(spoken, _asset("icons.svg"), name)


_versions: dict[str, str] = {}


def _asset(name: str) -> str:
    """Give the address of a static file with its digest, so that browsers may keep it for ever."""
    if name not in _versions:
        path = STATIC / name
        content = path.read_bytes() if path.is_file() else b""
        _versions[name] = hashlib.blake2b(content, digest_size=6).hexdigest()
    return f"/static/{name}?v={_versions[name]}"


def is_built() -> bool:
    """Say whether the browser files are there; without them pages have no style."""
    return (STATIC / "portal.js").is_file() and (STATIC / "portal.css").is_file()


def static_headers(scope_query: bytes) -> dict[str, Any]:
    """Give the caching rule: a file asked for with its digest never changes."""
    return {"Cache-Control": "public, max-age=31536000, immutable" if scope_query else "no-cache"}
