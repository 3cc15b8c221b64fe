import httpx
import pytest

from curation.config import FetchConfig
from curation.crawl.client import Client, TryAgain, check_url, user_agent
from curation.errors import ConfigError, FetchFailed

URL = "http://127.0.0.1/x"
MIB = 1 << 20


@pytest.fixture
def conf(tmp_path):
    return FetchConfig(
        hosts=("127.0.0.1",), limits_folder=str(tmp_path), max_tries=3, backoff_s=0.001,
        max_backoff_s=0.001,
    )  # fmt: skip


class Tries:
    """Fails as often as there are entries in `brought`, each a try's MiB, and then succeeds."""

    def __init__(self, *brought, error=None):
        self.brought = list(brought)
        self.error = error or TryAgain("broken off")
        self.n_bytes = 0

    def once(self):
        if not self.brought:
            return "done"
        self.n_bytes += self.brought.pop(0) * MIB
        raise self.error


def tried(conf, tries):
    client = Client(conf)
    try:
        return client.tried(URL, tries.once, n_bytes=lambda: tries.n_bytes)
    finally:
        client.close()


def test_tries_end_after_so_many(conf):
    assert tried(conf, Tries(0, 0)) == "done"
    tries = Tries(0, 0, 0, 0)
    with pytest.raises(FetchFailed, match="/x: broken off; 3 tries"):
        tried(conf, tries)
    assert len(tries.brought) == 1


def test_a_try_that_brought_8_mib_starts_the_count_anew(conf):
    assert tried(conf, Tries(0, 8, 0, 9, 0, 8, 0)) == "done"
    with pytest.raises(FetchFailed, match="3 tries"):
        tried(conf, Tries(0, 7, 7))


def test_a_time_out_is_tried_again_and_told_in_words(conf):
    timeout = httpx.ReadTimeout("")
    assert tried(conf, Tries(0, error=timeout)) == "done"
    with pytest.raises(FetchFailed, match=r"no answer in time \(ReadTimeout\); 3 tries"):
        tried(conf, Tries(0, 0, 0, error=timeout))


def test_a_foreign_host_in_the_input_is_an_error_of_the_settings(conf):
    with pytest.raises(ConfigError, match=r"evil\.example is not in fetch\.hosts"):
        check_url("https://evil.example/x.warc.gz", conf)
    with pytest.raises(ConfigError, match=r"s3\.us-east-1\.amazonaws\.com is not in"):
        check_url("s3://commoncrawl/x.warc.gz", conf)
    assert check_url("https://127.0.0.1:9/x", conf) == "127.0.0.1"
    assert check_url("s3://commoncrawl/x", FetchConfig()) == "s3.us-east-1.amazonaws.com"


def test_the_user_agent_says_whom_to_write_to():
    assert "me@example.org" in user_agent(FetchConfig(contact="me@example.org"))
    assert user_agent(FetchConfig()).startswith("curation/")
