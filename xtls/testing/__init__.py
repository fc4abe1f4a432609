"""
For the tests of those who use xtls: a certificate authority, joined pairs, the stream contract.

Nothing in xtls imports from here.
"""
