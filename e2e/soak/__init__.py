"""A steady mixed load for hours, and whether anything of the operator grows."""
