"""What is wrong with a webhook configuration, when it is written.

``JUDGES`` has the judge of both kinds; the kind's strategy asks it. Pure.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns1035_label_errors, dns_subdomain_errors
from roadbed.apimachinery.request import Object
from roadbed.apiserver.policies import checks

from .target import config_causes

MOST_TIMEOUT_S = 30
_REVIEWED: Final = ("v1", "v1beta1")
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")


def _configuration(obj: Object, old: Object | None) -> list[Cause]:
    hooks = obj.get("webhooks") or ()
    if old is not None and hooks == (old.get("webhooks") or ()):
        return []
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        at, name = f"webhooks[{index}]", str(hook.get("name") or "")
        causes += _hook(hook, at)
        causes += _versions(hook.get("admissionReviewVersions") or (), f"{at}.admissionReviewVersions")
        if name and name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def _hook(hook: Mapping[str, Any], path: str) -> list[Cause]:
    causes = _name(str(hook.get("name") or ""), f"{path}.name")
    causes += checks.rules(hook.get("rules") or (), f"{path}.rules")
    causes += checks.choice(hook, path, "failurePolicy", ("Fail", "Ignore"))
    causes += checks.choice(hook, path, "matchPolicy", ("Equivalent", "Exact"))
    effects = hook.get("sideEffects")
    if effects is None:
        causes.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    elif effects not in _SIDE_EFFECTS:
        causes.append(not_supported(f"{path}.sideEffects", effects, _SIDE_EFFECTS))
    timeout_s = hook.get("timeoutSeconds")
    if timeout_s is not None and not 1 <= timeout_s <= MOST_TIMEOUT_S:
        text = "the timeout value must be between 1 and 30 seconds"
        causes.append(invalid_value(f"{path}.timeoutSeconds", timeout_s, text))
    for member in ("namespaceSelector", "objectSelector"):
        causes += checks.selector(hook.get(member), f"{path}.{member}")
    causes += checks.choice(hook, path, "reinvocationPolicy", ("IfNeeded", "Never"))
    causes += config_causes(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    return causes + checks.conditions(hook.get("matchConditions") or (), f"{path}.matchConditions")


def _name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    errors = dns_subdomain_errors(name)
    if errors:
        return [invalid_value(path, name, ",".join(errors))]
    if name.count(".") < 2:
        text = "should be a domain with at least three segments separated by dots"
        return [invalid_value(path, name, text)]
    return []


def _versions(versions: Sequence[str], path: str) -> list[Cause]:
    if not versions:
        return [required(path, f"must specify one of {', '.join(_REVIEWED)}")]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            causes.append(invalid_value(f"{path}[{index}]", version, "duplicate version"))
            continue
        causes += [
            invalid_value(f"{path}[{index}]", version, error) for error in dns1035_label_errors(version)
        ]
    if not set(versions) & set(_REVIEWED):
        text = f"must include at least one of {', '.join(_REVIEWED)}"
        causes.append(invalid_value(path, list(versions), text))
    return causes


JUDGES: Final[Mapping[str, Callable[[Object, Object | None], list[Cause]]]] = {
    "validatingwebhookconfigurations": _configuration,
    "mutatingwebhookconfigurations": _configuration,
}
"""By plural, in admissionregistration.k8s.io."""
