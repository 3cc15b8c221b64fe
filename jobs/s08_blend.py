"""Sources by weight, with repeats, in one global order; plain Parquet.

spark-submit jobs/s08_blend.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s08_blend")
