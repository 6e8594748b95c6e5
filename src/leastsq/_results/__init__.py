"""What comes out of many fits, and what is made of it."""
