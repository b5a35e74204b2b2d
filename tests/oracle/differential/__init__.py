"""A differential tester: random sequences of requests, asked of the real kube-apiserver and of ours, and compared.

``python -m tests.oracle.differential --area AREA --seed N --sequences M`` starts both servers (``sides``), lets the
area make M sequences from the seed (``areas``), plays each on both (``tests.contract.asking``), makes the answers
comparable (``comparing``, over ``tests.contract.normal``), and reports each *class* of difference once, with a
sequence shrunk to the least that still shows it (``shrinking``). The same seed makes the same sequences anywhere.
What may differ stands in ``accepted.yaml``, each entry with its reason. Needs the programs that ``make oracle-build``
makes. It mends nothing and records nothing: what it finds becomes a case of the corpus, or a unit test.
"""
