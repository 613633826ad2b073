"""Says exactly what is wrong with instrument data, where, how bad, and what to do. Knows no network."""
