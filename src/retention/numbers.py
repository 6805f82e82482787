"""Published results, reproduced in the environment at hand: expected, got, tolerance."""
