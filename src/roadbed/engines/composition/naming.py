"""What composed resources are called, and whose fields are whose.

Pure, called by ``compose``. The names must come out exactly as Crossplane makes them, because an object
that changes its name is an object that is created twice.
"""

from __future__ import annotations

import hashlib

from roadbed.apimachinery.gvk import GVK

MANAGER_SELECTION = "crossplane"  # finalizer, label, chosen Composition and revision
MANAGER_COMPOSITE = "apiextensions.crossplane.io/composite"  # resourceRefs and status
MANAGER_COMPOSED_PREFIX = "apiextensions.crossplane.io/composed"
NAME_LIMIT = 63  # the name is a label value as well
HASH_LENGTH = 12


def composed_name(prefix: str, uid: str, resource_name: str) -> str:
    """Name a composed resource: the prefix and a hash that is the same for ever.

    The hash is of the composite's uid and the resource's name in the Composition, so that a retry after a
    crash creates the same object, and a composite deleted and made anew does not meet its predecessor's.
    """
    suffix = hashlib.sha256((uid + resource_name).encode()).hexdigest()[:HASH_LENGTH]
    if prefix and not prefix.endswith("-"):
        prefix += "-"
    if len(prefix) + HASH_LENGTH <= NAME_LIMIT:
        return prefix + suffix
    head = prefix[: NAME_LIMIT - HASH_LENGTH]
    if not head.endswith("-"):
        head = head[:-1] + "-"
    return head + suffix


def composed_manager(composite_name: str, gvk: GVK) -> str:
    """Name the server-side-apply manager that owns what one composite asks of its composed resources.

    It holds neither uid nor version, so that a restored backup or a new version of the kind goes on
    owning the same fields.
    """
    group_kind = f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind
    digest = hashlib.sha256((composite_name + group_kind).encode()).hexdigest()
    return f"{MANAGER_COMPOSED_PREFIX}/{digest}"
