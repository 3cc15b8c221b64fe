"""A run of published files alone: no crawl, the command from the blend to tokens and a takedown."""

import json

import pytest
from runs import CONF, number, run, versions

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

LINES = [{"warc_record_id": f"<urn:uuid:{n}>", "url": f"https://{host}/{n}", "language": "eng",
          "text": f"Text {n} of {host}. " * 8}
         for n, host in enumerate(["a.org", "www.b.org", "c.org", "a.org"])]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Folder of a run, and the arguments that make it."""
    root = tmp_path_factory.mktemp("published")
    for quality, lines in (("high", LINES[:2]), ("low", LINES[2:])):
        folder = root / "files" / f"quality={quality}" / "kind=actual" / "kind2=actual"
        folder.mkdir(parents=True)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "CC-MAIN-2024-51-part-00000.jsonl").write_text(text, encoding="utf-8")
    patterns = f'blend.published=["{root}/files/**/*.jsonl"]'
    asked = ["run", str(CONF), "--out", str(root / "run"), "--set", "blend.epochs={}",
             "--set", patterns]  # fmt: skip
    run(*asked, "--only", "s08,s09")
    return root / "run", asked


def test_texts_are_blended_and_tokenised_and_found_again(published):
    out, asked = published
    assert number(out, "SELECT count(*) FROM blend") == 4
    assert number(out, "SELECT count(DISTINCT crawl) FROM published") == 1
    assert number(out, "SELECT sum(n_documents) FROM shards") == 4
    told = json.loads(run("where", str(out), "shard-00000:1", "--json").stdout)
    assert told["facts"]["file"].endswith("CC-MAIN-2024-51-part-00000.jsonl")
    before = versions(out)
    run(*asked, "--only", "s08,s09")
    assert versions(out) == before
    assert "s08_blend" in run("status", str(out)).stdout


def test_a_takedown_reaches_what_was_published(published):
    out, asked = published
    shown = run("takedown", str(out), "--domain", "b.org").stdout
    assert "published: 1" in shown
    run("takedown", str(out), "--domain", "b.org", "--yes")
    assert number(out, "SELECT count(*) FROM published") == 3
    assert number(out, "SELECT count(*) FROM blend WHERE url LIKE '%b.org%'") == 0
    assert number(out, "SELECT sum(n_documents) FROM shards") == 3
    # Another seed makes the blend anew; the files still have the text.
    run(*asked, "--only", "s08,s09", "--set", "blend.seed=18")
    assert number(out, "SELECT count(*) FROM blend") == 3


def test_a_file_that_is_cut_short_is_one_line_and_leaves_the_blend(published):
    out, asked = published
    before = number(out, "SELECT count(*) FROM blend")
    cut = out.parent / "files" / "quality=low" / "kind=actual" / "kind2=actual" / "cut.jsonl"
    cut.write_text('{"text": "wh', encoding="utf-8")
    done = run(*asked, "--only", "s08", check=False)
    cut.unlink()
    assert done.returncode == 2
    assert f"{cut}: not readable after line 0" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert number(out, "SELECT count(*) FROM blend") == before
