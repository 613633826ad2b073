"""Carries instrument data into a catalog: engine, journal, server clients, embedded catalog, command line."""
