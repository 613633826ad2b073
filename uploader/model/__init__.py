"""Values that flow through the engine, and the ports it needs."""
