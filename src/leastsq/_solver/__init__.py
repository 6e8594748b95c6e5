"""What to fit and how, and the door to the compiled code."""
