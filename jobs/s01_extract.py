"""Read WARC records, decode, extract main text; every record is a page or a reject.

spark-submit jobs/s01_extract.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s01_extract")
