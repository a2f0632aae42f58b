"""A power law through measured points, with an interval on its exponent."""
