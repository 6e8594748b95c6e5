"""Where fits of compiled models start."""
