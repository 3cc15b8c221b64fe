"""Exact and near duplicates of the whole corpus; one deterministic survivor each.

spark-submit jobs/s03_dedup.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s03_dedup")
