"""What users hand in: checked, and made arrays."""
