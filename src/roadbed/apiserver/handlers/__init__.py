"""The verbs of the API: one verb, one module. What is shared by several verbs does not live here."""
