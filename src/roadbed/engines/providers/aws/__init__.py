"""AWS behind the managed reconciler: accounts, the table-driven external client, one adapter per kind.

Only this package calls AWS. boto3 is imported on the first call, and every call runs in a worker thread.
"""
