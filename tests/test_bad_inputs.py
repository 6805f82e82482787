"""Bad inputs, each through the real command: one clear message, exit 2, nothing published."""
