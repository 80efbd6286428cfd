"""Images without a registry: some packed by us, the others built from a Dockerfile, all loaded into the cluster."""
