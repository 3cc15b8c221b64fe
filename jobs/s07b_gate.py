"""Generated text measured beside its source, looked for among the others, and judged.

spark-submit jobs/s07b_gate.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s07b_gate")
