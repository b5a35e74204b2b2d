"""Pure algebra of Kubernetes objects: functions of JSON values, with no I/O, no clock, no asyncio.

Whatever needs a file, a socket, the time or a task does not live here.
"""
