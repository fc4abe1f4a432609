"""
Twisted's doors: endpoints and the strings that name them.

Nothing here owns a socket: every endpoint wraps another.
"""
