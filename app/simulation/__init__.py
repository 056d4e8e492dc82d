"""A nation at work, made up by seed: pure functions from a register of agencies and a seed to rows of the tables."""
