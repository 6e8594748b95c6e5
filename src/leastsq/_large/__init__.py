"""One fit of data of any size, folded block by block."""
