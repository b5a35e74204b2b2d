"""A small operator as kopf's own tutorial would have it; GROUP names the group of its kind."""

import os

import kopf

GROUP = os.environ["GROUP"]


@kopf.on.startup()
def settings(settings: kopf.OperatorSettings, **_):
    settings.posting.enabled = True
    settings.persistence.finalizer = "example.org/kettle"
    settings.watching.server_timeout = 60


@kopf.on.create(GROUP, "v1", "kettles")
def filled(body, spec, name, **_):
    if spec["litres"] > 3:
        kopf.warn(body, reason="Heavy", message="too heavy to lift")
        raise kopf.PermanentError("too heavy")
    return {"filled": spec["litres"], "name": name}


@kopf.on.update(GROUP, "v1", "kettles", field="spec.litres")
def refilled(old, new, patch, **_):
    patch.status["refilled"] = f"{old} to {new}"


@kopf.on.delete(GROUP, "v1", "kettles")
def emptied(logger, **_):
    logger.info("emptied")


@kopf.on.event("", "v1", "configmaps", annotations={"kettle": kopf.PRESENT})
def noticed(body, patch, **_):
    if "noticed" not in body.metadata.labels:
        patch.metadata.labels["noticed"] = "yes"
