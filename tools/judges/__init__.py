"""Client libraries that no one here wrote, each in an environment of its own, drive the local exchange."""
