"""
What the user said: options, targets, connection files, addresses and places, as values.

No transport, no OpenSSL and no reactor ever live here.
"""
