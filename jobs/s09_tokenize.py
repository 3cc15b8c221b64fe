"""Token shards: packed Parquet and Megatron .bin/.idx, one manifest.

spark-submit jobs/s09_tokenize.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s09_tokenize")
