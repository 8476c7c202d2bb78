"""A lineage's own machine."""
