"""Tree ensembles of LightGBM as stages: their graph, and what it is compared with."""
