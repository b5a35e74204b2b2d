"""The composition functions that are built in, and the protocol they are called through.

A function is a pure answer to one request: no Client, no clock, no state but caches of parsed input. It is
called through the same messages as a function in a process of its own, so that none of them can do what an
outside function can't.
"""
