"""
One port, every protocol: what a connection speaks, whether it may, and who takes it over.

Nothing here stays in the way of the octets once that is decided.
"""
