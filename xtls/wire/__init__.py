"""
Octets: TLS and WebSocket as transports, and how what they produce gets to a socket.

The reactor is only ever a parameter here, and nothing here decides whom to believe or what to accept.
"""
