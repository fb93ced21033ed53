"""The live figures and signals of this server, for the open pages of the dashboard."""
