"""The shapes of requests and of answers, a module for each room; `ANSWERS` of each are the schemas of its answers."""
