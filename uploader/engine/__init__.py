"""The two phases: survey and ferry."""
