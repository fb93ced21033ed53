"""The lab: detectors from ten years of nine pairs, with splits by time and an interval on every score."""
