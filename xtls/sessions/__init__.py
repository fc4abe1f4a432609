"""
What a port leads to: plain protocol factories.

A session knows no more of how its peer came in than the transport tells it.
"""
