"""Import the experiments of the service that this one replaces.

This package can be deleted once no installation of that service is left.
"""
