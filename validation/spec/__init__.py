"""Path-pattern specs: two input forms (YAML, DERIVA JSON), one in-memory model, matching and explanation."""
