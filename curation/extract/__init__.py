"""From WARC records to pages: charset, main text, limits, and a reason for all that is left out."""
