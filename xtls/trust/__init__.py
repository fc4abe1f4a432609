"""
Whom to believe: certificates, their verification, and the OpenSSL contexts made from options.

The only place that makes contexts; no reactor and no transport ever live here.
"""
