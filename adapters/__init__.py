"""The adapters speak: a venue's wire on one side, the engine's inputs and requests on the other."""
