"""How much is sent at once and how fast: found by measuring, bounded by what a person asked for."""
