"""Everything that knows Spark's machinery: session, tables, the door to Python, units of work."""
