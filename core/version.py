"""The one place where the version stands: the package's metadata and everything that shows it are made from it."""

VERSION = "0.1.0"
