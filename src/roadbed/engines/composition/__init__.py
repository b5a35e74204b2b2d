"""Composition: definitions become kinds, and composites become the resources they are composed of.

What lives here follows ``apiextensions.crossplane.io``: rendering CRDs from definitions, revisions of
Compositions, the functions built in, and the reconcilers around them. The modules that decide (``xrd``,
``naming``, ``revisions``, ``pipeline``, ``compose``, ``functions``) are pure; only the reconcilers hold a
Client. Nothing here knows a cloud, a package registry or a page.
"""
