"""ERMrest over SQLite: the relational half of the embedded catalog (docs/embedded-ermrest.md)."""
