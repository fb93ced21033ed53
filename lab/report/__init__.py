"""The pages and pictures of the lab, made from the figures in lab/results."""
