"""Mathematics as dialogues: the seven MIND styles over chunks of 500 tokens.

spark-submit jobs/s07_dialogue.py --conf conf/demo.yaml [--input PATTERN] [--out DIR] [--set K=V]
"""

from curation.spark.job import main

if __name__ == "__main__":
    main("s07_dialogue")
