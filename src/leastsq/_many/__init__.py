"""Many fits: a piece of them, workers, time, and lazy arrays."""
