"""A judge model grades what was generated beside its source, if `judge.enabled`.

spark-submit jobs/s07a_judge.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s07a_judge")
