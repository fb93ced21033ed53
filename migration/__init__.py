"""Takes over the experiments of the service that this one replaces.

It can be deleted once no installation of that service is left.
"""
