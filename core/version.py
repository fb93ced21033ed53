"""The version of the project. The package's metadata and everything that shows the version read it from here."""

VERSION = "0.1.0"
