"""The same crossing of averages in holdfast, in other backtesters and in a bare loop, each run in its own process."""
