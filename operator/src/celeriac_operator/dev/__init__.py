"""``celeriac dev``: a laptop as a cluster. The operator runs unchanged; what is below it is here, in memory."""
