"""Language, heuristic signals, content hash, MinHash bands: one pass over the text.

spark-submit jobs/s02_measure.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s02_measure")
