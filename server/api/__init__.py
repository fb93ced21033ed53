"""The contract: what requests and answers look like."""
