"""Low quality rewritten; QA, distillation, extraction, lists from high quality.

spark-submit jobs/s06_rephrase.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s06_rephrase")
