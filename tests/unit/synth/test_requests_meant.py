import json

import duckdb
import pytest

from curation.config import SynthConfig
from curation.synth.prompts import load_prompts
from curation.synth.requests import is_meant, sampling

DOCUMENTS = """
(VALUES ('plain', 0.0, 'Science', true, []), ('marks', 0.02, 'News', false, ['too_few_words']),
        ('near', 0.002, 'Science', true, []), ('far', 0.002, 'News', true, []),
        ('unknown', 0.002, NULL, true, []), ('toxic', 0.5, 'Science', false, ['x', 'toxic']),
        ('edge', 0.01, NULL, true, []))
AS documents (doc_id, math_frac, domain, keep, drop_reasons)
"""


def meant(stage, **settings):
    condition = is_meant(stage, SynthConfig(**settings))
    found = duckdb.sql(f"SELECT doc_id FROM {DOCUMENTS} WHERE {condition}").fetchall()
    return {doc_id for (doc_id,) in found}


def test_dialogues_take_marked_mathematics_and_less_of_it_in_a_domain_near_it():
    assert meant("s07_dialogue") == {"marks", "near", "edge"}
    assert meant("s07_dialogue", math_domains=()) == {"marks", "edge"}
    assert meant("s07_dialogue", math_domains=("News",)) == {"marks", "edge", "far"}
    assert meant("s07_dialogue", min_math_frac_of_domain=0.0) == {"marks", "near", "edge", "plain"}


def test_rephrasing_takes_what_is_kept():
    assert meant("s06_rephrase") == {"plain", "near", "far", "unknown", "edge"}


def test_a_domain_cannot_end_the_condition():
    assert meant("s07_dialogue", math_domains=("x') OR true --",)) == {"marks", "edge"}


@pytest.mark.parametrize(
    ("settings", "told"), [({}, {}), ({"engine": {"quantization": "fp8"}}, {"quantization": "fp8"})]
)
def test_a_request_says_how_its_answer_is_sampled(settings, told):
    prompt = load_prompts()["distill"]
    found = json.loads(sampling(prompt, SynthConfig(engine_seed=3, **settings)))
    assert found == {
        "temperature": prompt.temperature, "top_p": prompt.top_p, "seed": 3, "backend": "vllm",
        "prefill": True, "max_model_tokens": 4096, **told,
    }  # fmt: skip
