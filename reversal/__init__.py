"""The command line, on top of everything else: it imports every other package, and none imports it."""
