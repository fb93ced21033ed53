"""The search: which features, window and model rank the bars of later years best."""
