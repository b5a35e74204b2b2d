"""Admission by CEL: ValidatingAdmissionPolicies, MutatingAdmissionPolicies, and the match conditions of webhooks.

What lives here reads expressions from objects and evaluates them over one write. It changes and refuses writes as
an ``Admission`` stage does, calls nobody outside the process, and stores nothing.
"""
