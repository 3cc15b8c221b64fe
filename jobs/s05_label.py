"""Scores to buckets 0..19, maximum, five labels; heuristics for labels not exempt.

spark-submit jobs/s05_label.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s05_label")
