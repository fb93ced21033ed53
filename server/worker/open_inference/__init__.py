"""The way of a request of the Open Inference Protocol through a worker, for every transport."""
