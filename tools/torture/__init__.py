"""`holdfast torture`: the user's own configuration under crashes and faults, on simulated exchanges."""
