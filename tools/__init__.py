"""The tools show: command line, files, colours, servers."""
