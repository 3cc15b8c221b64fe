"""Scores, labels and their agreement, read from the small run."""

import pytest

from curation.report import quality


def test_label_shares_are_of_words_and_name_all_five_labels(whole):
    shares = {share.label: share for share in quality.label_shares(whole)}
    assert list(shares) == ["high", "medium-high", "medium", "medium-low", "low"]
    assert shares["high"].words_frac == 0.3
    assert shares["low"] == quality.LabelShare("low", 2, 1, 70, 0.7, 0.0918)
    assert shares["medium"].n_documents == 0


def test_the_papers_label_shares_are_the_whole():
    assert sum(quality.LABEL_TOKEN_FRAC.values()) == pytest.approx(1.0)


def test_scores_fall_into_equal_bins_and_the_greatest_into_the_last(whole):
    edu, fasttext = quality.score_histograms(whole, n_bins=5)
    assert (fasttext.member, fasttext.high, fasttext.counts) == ("fasttext", 1.0, [1, 0, 0, 0, 1])
    assert (edu.member, edu.high, edu.counts) == ("edu", 5.0, [1, 0, 1, 0, 0])


def test_a_member_without_a_score_is_told_with_its_reason(whole):
    assert quality.unscored(whole) == [quality.Unscored("minilm", "no_token", 1)]


def test_the_cuts_are_those_in_force_where_there_are_most_documents(whole):
    edu, fasttext = quality.score_histograms(whole)
    assert (fasttext.language, fasttext.edges) == ("demo, en", [0.5] * 19)
    assert edu.edges == []


def test_members_agree_where_both_call_a_document_high(whole):
    (found,) = quality.overlaps(whole)
    assert (found.first, found.second) == ("edu", "fasttext")
    assert (found.n_either, found.n_both, found.n_first_only, found.n_second_only) == (1, 1, 0, 0)
    assert found.n_top_hosts == 1
    assert found.mean_gap == pytest.approx((1 + 0 + 5) / 3)
    assert found.correlation == pytest.approx(0.9629, abs=1e-3)


def test_the_highest_bucket_decides_alone_or_with_others(whole):
    edu, fasttext = quality.deciders(whole)
    assert fasttext == quality.Decider("fasttext", n_alone=1, n_shared=1, n_high_alone=0)
    assert edu == quality.Decider("edu", n_alone=1, n_shared=1, n_high_alone=0)


def test_classes_are_counted_by_label(whole):
    (games,) = quality.class_shares(whole, "domain")
    assert (games.name, games.n_documents, games.by_label) == ("Games", 3, {"high": 1, "low": 2})
    assert games.mean_toxicity == 0.5
    assert [share.name for share in quality.class_shares(whole, "speech")] == ["News"]


def test_drift_counts_the_documents_that_change_their_label(whole):
    (found,) = quality.drifts(whole)
    assert (found.crawl, found.against, found.n_documents, found.n_moved) == ("demo", "batch", 4, 1)
    assert (found.before["high"], found.before["low"], found.now["low"]) == (1, 3, 4)
