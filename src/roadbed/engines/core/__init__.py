"""What every Kubernetes control plane does by itself: garbage collection and namespace deletion.

Only loops over any kind live here; a loop for one group of kinds is an engine of its own.
"""
