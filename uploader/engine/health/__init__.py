"""What the engine does when server, login, disk or line fail: repeats, parks, looks again, goes on."""
