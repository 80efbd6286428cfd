"""The fault matrix: a real operator process behind a proxy that fails, and the one invariant checker."""
