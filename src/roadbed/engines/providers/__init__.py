"""Managed resources: what exists in a cloud, kept as the objects say.

Everything that knows both a managed resource and something outside lives here. The reconciler (``managed``)
knows no cloud; a cloud is one sub-package that implements ``ExternalClient``. Other engines are reached
through objects only.
"""
