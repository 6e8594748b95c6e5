"""Whether a fit is at its minimum, and what is known of its parameters."""
