"""Quality ensemble and toxicity; only documents without a score are read.

spark-submit jobs/s04_score.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s04_score")
