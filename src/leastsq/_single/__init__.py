"""One fit: its keywords, its start, and who watches it."""
