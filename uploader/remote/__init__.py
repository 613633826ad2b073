"""The real servers: HTTP, Hatrac, ERMrest. The only place with an HTTP client."""
