"""The HTTP contract: the forms of requests and answers."""
