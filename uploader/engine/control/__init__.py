"""How a person steers a run while it goes on: commands from the journal, and what the engine says of itself."""
