"""A day's trading against the local exchange at many times its speed, sampled every second and settled to the last
decimal at its end."""
