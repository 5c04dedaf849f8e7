"""What `holdfast init` writes: a configuration, a strategy to start from, and what git must not see."""
