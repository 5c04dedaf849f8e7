"""The proof: eight layers of faults over the engine and its journal, each by seeds, each with one verdict."""
