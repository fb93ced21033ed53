"""What a worker has of the keeper: the state that it follows, and the answers to what it does not answer itself."""
