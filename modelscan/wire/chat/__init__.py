"""The neutral form of a chat, between the protocols, which do not know each other."""
