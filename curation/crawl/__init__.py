"""From paths to WARC records: which files there are, and every record of each of them."""
