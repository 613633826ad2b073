"""An embedded catalog that speaks the DERIVA protocol over SQLite and a folder."""
