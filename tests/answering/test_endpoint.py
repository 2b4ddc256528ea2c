"""The endpoint backend against a real server on loopback: answers, streams, and everything that goes wrong."""

from __future__ import annotations

import itertools
import json
import logging
import pickle
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.answering.endpoint_server import KEY, serving

from whytune.answering.backends import failures, service
from whytune.answering.backends.endpoint import EndpointBackend
from whytune.answering.backends.protocol import Backend, Chat, Completion, Constraint, Labels, Schema
from whytune.answering.backends.replies import Estimated
from whytune.answering.backends.service import Terms
from whytune.answering.backends.sse import LONGEST, Events, EventTooLong
from whytune.errors import SettingsError, UnavailableError, WhytuneError
from whytune.records.candidate import Decoding
from whytune.records.content import BlobPart, Message

DECODING = Decoding(max_new_tokens=8)
QUICK: dict[str, Any] = {"retries": 2, "backoff": 0.02, "patience": 1.0}


def chat(text: str) -> Chat:
    return (Message.of("system", "Be brief."), Message.of("user", text))


def backend(
    url: str, key_env: str = "", concurrency: int = 4, timeout: float = 10.0, **terms: Any
) -> EndpointBackend:
    return EndpointBackend(url, "tiny", key_env, concurrency, timeout, terms=Terms(**{**QUICK, **terms}))


def ask(
    this: EndpointBackend,
    *texts: str,
    constraint: Constraint = None,
    into: dict[int, Completion] | None = None,
) -> list[Completion]:
    found: dict[int, Completion] = {} if into is None else into

    def keep(batch: list[tuple[int, Completion]]) -> None:
        for index, completion in batch:
            assert index not in found
            found[index] = completion

    this.complete([chat(text) for text in texts], DECODING, constraint, keep)
    return [found[i] for i in range(len(texts))]


def test_it_is_a_backend() -> None:
    with serving() as (url, _):
        this: Backend = backend(url)
        assert this.context == 8192
        assert this.count_tokens(chat("x" * 40)) == 4 + 3 + 4 + 10


@pytest.mark.parametrize("stream", [False, True])
def test_answers_come_with_their_counts(stream: bool) -> None:
    with serving() as (url, does):
        one, two = ask(backend(url, stream=stream), "Grüße, 世界 🌍", "b")
        assert (one.text, two.text) == ("echo: Grüße, 世界 🌍", "echo: b")
        assert (one.tokens_in, one.tokens_computed, one.tokens_out, one.error) == (30, 10, 7, "")
        assert one.seconds > 0
        assert not isinstance(one, Estimated)
        sent = does.requests[0]
        assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("tiny", 8, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_counts_that_are_missing_are_estimated_and_marked(stream: bool) -> None:
    with serving(usage=False) as (url, _):
        this = backend(url, stream=stream)
        (one,) = ask(this, "abcd")
        assert isinstance(one, Estimated)
        assert (one.tokens_in, one.tokens_out, this.estimated) == (12, 3, 1)


def test_seconds_add_up_to_the_time_it_took() -> None:
    with serving(delay=0.05) as (url, _):
        began = time.perf_counter()
        found = ask(backend(url), *map(str, range(20)))
        assert sum(c.seconds for c in found) <= time.perf_counter() - began
        assert sum(c.seconds for c in found) > 0.2


def test_no_chats_no_request() -> None:
    backend("http://127.0.0.1:9/v1").complete(
        [], DECODING, None, lambda batch: pytest.fail("nothing to hand over")
    )


def test_models_are_listed() -> None:
    with serving() as (url, _):
        assert backend(url + "/").models() == ("tiny", "other")
    with serving(always="html") as (url, _), pytest.raises(UnavailableError, match="HTML page titled 'Shop'"):
        backend(url).models()


@pytest.mark.parametrize("ending", ["/", "/chat/completions", ""])
def test_addresses_as_people_paste_them(ending: str) -> None:
    with serving() as (url, _):
        assert ask(backend(url + ending), "a")[0].text == "echo: a"


# what is asked for


@pytest.mark.parametrize("stream", [False, True])
def test_a_label_set_is_asked_for_as_a_schema(stream: bool) -> None:
    with serving() as (url, does):
        (one,) = ask(backend(url, stream=stream), "a", constraint=Labels(("refund", "delivery")))
        assert one.text == "delivery"
        schema = does.requests[0]["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["label"]["enum"] == ["refund", "delivery"]
        assert does.requests[0]["max_tokens"] > 8


def test_a_schema_is_handed_on() -> None:
    schema = {"type": "object", "properties": {"date": {"type": ["string", "null"]}}, "required": ["date"]}
    with serving() as (url, does):
        (one,) = ask(backend(url), "a", constraint=Schema(schema))
        assert json.loads(one.text) == {"date": None}
        assert does.requests[0]["response_format"]["json_schema"]["schema"] == schema


def test_what_a_service_does_not_understand_is_left_out_and_remembered() -> None:
    with serving(schema=False) as (url, does):
        this = backend(url, concurrency=1)
        assert [c.text for c in ask(this, "a", "b", constraint=Labels(("x", "y")))] == ["echo: a", "echo: b"]
        assert ["response_format" in sent for sent in does.requests] == [True, False, False]
        assert does.requests[-1]["max_tokens"] == 8
        assert "response_format" in this.refused[0]
    with serving() as (url, does):
        ask(backend(url, schema=False), "a", constraint=Labels(("x",)))
        assert "response_format" not in does.requests[0]


@pytest.mark.parametrize(
    ("mode", "gone", "there"),
    [("no max_tokens", "max_tokens", "max_completion_tokens"), ("no temperature", "temperature", "model")],
)
def test_newer_and_stricter_services(mode: str, gone: str, there: str) -> None:
    with serving(always=mode) as (url, does):
        assert ask(backend(url), "a")[0].text == "echo: a"
        assert gone not in does.requests[-1]
        assert there in does.requests[-1]


def test_content_in_parts() -> None:
    with serving(always="parts") as (url, _):
        assert ask(backend(url), "a")[0].text == "echo: a"


# what passes


@pytest.mark.parametrize(
    "mode",
    ["500", "502", "503", "504", "529", "408", "reset", "truncated body", "html", "empty", "invalid utf-8"],
)
def test_what_may_pass_is_tried_again(mode: str) -> None:
    with serving(modes=[mode, mode]) as (url, does):
        assert ask(backend(url), "a")[0].text == "echo: a"
        assert len(does.requests) == 3


@pytest.mark.parametrize("mode", ["truncated stream", "cut off", "stream error", "invalid utf-8", "crlf"])
def test_a_broken_stream_is_tried_again(mode: str) -> None:
    with serving(modes=[mode]) as (url, does):
        assert ask(backend(url, stream=True), "a")[0].text == "echo: a"
        assert len(does.requests) == (1 if mode in ("crlf", "cut off") else 2)


def test_retry_after_is_obeyed() -> None:
    with serving(modes=["429"], retry_after="0.3") as (url, does):
        assert ask(backend(url), "a")[0].text == "echo: a"
        assert does.times[1] - does.times[0] >= 0.3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "in an hour"}, 3600),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_spellings(headers: dict[str, str], seconds: float | None) -> None:
    if headers.get("retry-after") == "in an hour":  # as a date, counted from now and not from when the tests were collected
        headers = {"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)}
    wait = failures.failure_of_answer(429, headers, "", "").wait
    assert (
        wait is None if seconds is None else wait == pytest.approx(seconds, abs=120 if seconds > 60 else 0.01)
    )


def test_a_wait_beyond_patience_is_an_error() -> None:
    with serving(always="429", retry_after="3600") as (url, does):
        with pytest.raises(UnavailableError, match="wait 3600 seconds"):
            ask(backend(url), "a")
        assert len(does.requests) == 1


def test_a_crowded_service_is_given_less() -> None:
    with serving(most=2, delay=0.03, retry_after="0.05") as (url, does):
        found = ask(backend(url, concurrency=8, retries=6), *map(str, range(24)))
        assert [c.text for c in found] == [f"echo: {i}" for i in range(24)]
        assert len(does.requests) < 60


def test_concurrency_is_used_and_kept_to() -> None:
    with serving(delay=0.05) as (url, does):
        ask(backend(url, concurrency=3), *map(str, range(9)))
        assert does.peak == 3


def test_requests_a_minute() -> None:
    with serving() as (url, _):
        began = time.perf_counter()
        ask(backend(url, per_minute=600), *map(str, range(5)))
        assert time.perf_counter() - began >= 0.4


# when the service is to blame


def raised(this: EndpointBackend, *texts: str, into: dict[int, Completion] | None = None) -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        ask(this, *(texts or ("a",)), into=into)
    assert caught.value.exit_code == 7
    assert caught.value.next
    assert caught.value.where == this.url
    return caught.value


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("500", "HTTP 500"),
        ("html", "HTML page titled 'Welcome'"),
        ("invalid json", "no JSON"),
        ("empty", "nothing at all"),
        ("invalid utf-8", "not UTF-8"),
        ("no choices", "without choices"),
        ("choices empty", "no choices"),
        ("choices text", "without choices"),
        ("choice number", "without message"),
        ("no message", "without message"),
        ("content number", "content of type int"),
        ("a list", "no object"),
        ("reset", "broke the connection off"),
        ("truncated body", "broke the connection off"),
        ("429", "too many requests"),
    ],
)
def test_a_service_that_stays_ill(mode: str, says: str) -> None:
    with serving(always=mode, retry_after="0.02") as (url, does):
        error = raised(backend(url))
        assert says in error.what
        assert "after 3 tries" in error.what
        assert len(does.requests) == 3


@pytest.mark.parametrize(
    ("mode", "says"),
    [("truncated stream", "cut off"), ("stream error", "out of memory"), ("invalid utf-8", "cannot be read")],
)
def test_a_stream_that_stays_ill(mode: str, says: str) -> None:
    with serving(always=mode) as (url, _):
        assert says in raised(backend(url, stream=True)).what


@pytest.mark.parametrize(("mode", "stream"), [("slow", False), ("stalled", True)])
def test_a_slow_service(mode: str, stream: bool) -> None:
    with serving(always=mode, slow=10.0) as (url, _):
        began = time.perf_counter()
        error = raised(backend(url, timeout=0.2, stream=stream, retries=1))
        assert "silent for 0.2 seconds" in error.what
        assert "timeout" in error.next
        assert time.perf_counter() - began < 8


def test_a_service_that_drips_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "DRIPPING", 2)
    with serving(always="stalled", slow=0.03) as (url, _):
        this = backend(url, timeout=0.5, stream=True, retries=0)
        assert "longer than 1 seconds" in raised(this, "x" * 100).what


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("402", "no credit"),
        ("quota", "no credit"),
        ("403", "does not let us in"),
        ("redirect", "elsewhere.example"),
        ("400", "something about it"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(mode: str, says: str) -> None:
    with serving(always=mode) as (url, does):
        assert says in raised(backend(url)).what
        assert len(does.requests) == 1


def test_a_wrong_key_names_its_variable_and_never_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-wrong-987654321")
    caplog.set_level(logging.DEBUG)
    with serving(key=KEY) as (url, does):
        this = backend(url, "MY_KEY")
        error = raised(this, *"abcdef")
        assert "HTTP 401" in error.what
        assert "MY_KEY" in error.next
        assert len(does.requests) <= 4
        for shown in (str(error), repr(error.__cause__), repr(this), repr(vars(this)), caplog.text):
            assert "987654321" not in shown
        assert b"987654321" not in pickle.dumps(this)
        assert "***" in error.what
        assert "key_env" in raised(backend(url)).next


def test_the_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    with serving(key=KEY) as (url, _):
        this = backend(url, "MY_KEY")
        assert ask(this, "a")[0].text == "echo: a"
        assert this.models() == ("tiny", "other")


def test_a_model_that_is_not_there() -> None:
    with serving(models=("big", "small")) as (url, does):
        error = raised(backend(url))
        assert "'tiny', it has: big, small" in error.what
        assert len(does.requests) == 1


def test_an_address_that_is_none_of_its() -> None:
    with serving() as (url, _):
        error = raised(backend(url.removesuffix("/v1") + "/nowhere"))
        assert "HTTP 404" in error.what
        assert "/v1" in error.next


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_there() -> None:
    began = time.perf_counter()
    error = raised(backend(f"http://127.0.0.1:{free_port()}/v1", retries=8, backoff=0.1))
    assert "refused" in error.what
    assert time.perf_counter() - began < 10  # eight tries more take twenty


def test_no_such_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # the name service of a test has no network
    assert "no machine named 'gpu.invalid'" in raised(backend("http://gpu.invalid/v1")).what


# when one item is to blame


@pytest.mark.parametrize(
    ("mode", "word", "says"),
    [
        ("filter", "bad", "content filter"),
        ("long", "long", "too long"),
        ("poison", "poison", "HTTP 500"),
        ("strict", "odd", "unexpected"),
    ],
)
def test_an_item_that_only_itself_is_to_blame_for_is_counted(mode: str, word: str, says: str) -> None:
    with serving(always=mode, delay=0.01) as (url, _):
        texts = [f"fine {i}" for i in range(8)]
        texts[2] = word
        found = ask(backend(url, concurrency=2), *texts)
        assert says in found[2].error
        assert found[2].text == ""
        assert found[2].tokens_in > 0
        assert [c.error for i, c in enumerate(found) if i != 2] == [""] * 7


@pytest.mark.parametrize("mode", ["finish filter", "refusal"])
def test_refused_answers_are_errors_of_their_items(mode: str) -> None:
    with serving(modes=[mode]) as (url, _):
        found = ask(backend(url, concurrency=1), "a", "b")
        assert "refused" in found[0].error
        assert found[1].text == "echo: b"


def test_a_certain_mistake_of_an_item_needs_no_other_to_be_known() -> None:
    with serving(always="long") as (url, _):
        assert "too long" in ask(backend(url), "long")[0].error


def test_too_many_that_fail_on_their_own_are_the_services_fault() -> None:
    with serving(always="strict") as (url, does):
        raised(backend(url, concurrency=1), *["odd"] * 50)
        assert len(does.requests) == 4
    with serving(always="strict") as (url, does):
        found: dict[int, Completion] = {}
        raised(backend(url), *["fine", "odd"] * 10, into=found)
        assert sorted(found) == list(range(0, 20, 2))


def test_pictures_are_not_sent() -> None:
    with serving() as (url, does):
        picture = Message(role="user", parts=(BlobPart(type="image", blob="0" * 64, media_type="image/png"),))
        found: list[Completion] = []
        backend(url).complete([(picture,)], DECODING, None, lambda batch: found.extend(c for _, c in batch))
        assert "only text" in found[0].error
        assert does.requests == []


# nothing done is lost


def test_what_was_answered_before_the_service_failed_is_handed_over() -> None:
    with serving(modes=["ok"] * 6, always="500") as (url, _):
        found: dict[int, Completion] = {}
        raised(backend(url, concurrency=1), *map(str, range(20)), into=found)
        assert sorted(found) == list(range(6))


def test_what_is_under_way_when_the_service_fails_may_end() -> None:
    with serving(key=KEY, delay=0.0) as (url, does):
        found: dict[int, Completion] = {}
        does.key = ""
        does.modes = ["slow answer", "401"]
        original = does.next_mode

        def one_takes_its_time() -> str:
            mode = original()
            if mode == "slow answer":
                time.sleep(0.3)
            return mode

        does.next_mode = one_takes_its_time  # type: ignore[method-assign]
        raised(backend(url, concurrency=2), "a", "b", "c", "d", into=found)
        assert len(found) == 1


def test_answers_are_handed_over_while_others_are_under_way() -> None:
    with serving(delay=0.02) as (url, does):
        seen: list[int] = []

        def keep(batch: list[tuple[int, Completion]]) -> None:
            assert threading.current_thread() is threading.main_thread()
            assert 0 < len(batch) <= 16
            seen.append(len(does.requests))

        backend(url, concurrency=4).complete([chat(str(i)) for i in range(64)], DECODING, None, keep)
        assert len(seen) >= 4
        assert seen[0] < 40


def test_a_store_that_is_full_stops_everything() -> None:
    with serving(delay=0.02) as (url, does):

        def full(batch: list[tuple[int, Completion]]) -> None:
            raise OSError("No space left on device")

        with pytest.raises(OSError, match="No space"):
            backend(url).complete([chat(str(i)) for i in range(400)], DECODING, None, full)
        assert len(does.requests) < 60
        assert not [t for t in threading.enumerate() if t.name == "whytune-endpoint"]


def test_an_interruption_keeps_what_was_answered() -> None:
    with serving(modes=["ok"] * 3, always="slow", slow=20.0) as (url, does):
        found: dict[int, Completion] = {}

        def interrupt() -> None:
            while len(does.requests) < 4:
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            ask(backend(url, concurrency=1, timeout=30.0), *map(str, range(10)), into=found)
        assert sorted(found) == [0, 1, 2]
        assert time.perf_counter() - began < 15
        assert not [t for t in threading.enumerate() if t.name == "whytune-endpoint"]


def test_it_works_inside_a_running_event_loop() -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with serving() as (url, _):

        async def notebook() -> str:
            return ask(backend(url), "a")[0].text

        # In a thread of its own: the browser of other tests in this process keeps a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(asyncio.run, notebook()).result() == "echo: a"


# what cannot be


def test_all_mistakes_of_the_settings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(SettingsError) as caught:
        EndpointBackend("localhost:8000", "tiny", "NO_KEY", 0, 0.0)
    assert len(caught.value.problems) == 4
    assert "export NO_KEY" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "http://", "http://name:secret@host/v1", "http://[::1", "http://h:99999/v1", ""]
)
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        EndpointBackend(url, "tiny")
    assert "secret" not in str(caught.value)


def test_a_key_with_odd_characters_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-ключ-\x07")
    with pytest.raises(SettingsError) as caught:
        EndpointBackend("http://localhost/v1", "tiny", "MY_KEY")
    assert "sk-" not in str(caught.value)


def test_it_is_said_when_prompts_leave_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    assert EndpointBackend("http://localhost:1/v1", "m").notices == ()
    assert EndpointBackend("http://127.0.0.9/v1", "m").notices == ()
    assert EndpointBackend("http://[::1]:1/v1", "m").notices == ()
    assert "api.example.com" in EndpointBackend("https://api.example.com/v1", "m").notices[0]
    assert "and the key travel unencrypted" in EndpointBackend("http://10.0.0.5/v1", "m", "MY_KEY").notices[1]


# the parts


WIRE = ': hello\n\ndata: {"a": "é"}\n\nevent: x\nid: 1\ndata: one\ndata:two\n\ndata\n\r\ndata: 世界🌍\r\n\r\ndata: [DONE]\n\n'
EVENTS = ['{"a": "é"}', "one\ntwo", "", "世界🌍", "[DONE]"]


@given(st.lists(st.integers(0, len(WIRE.encode())), max_size=12), st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int], ending: str) -> None:
    data = WIRE.replace("\r\n", "\n").replace("\n", ending).encode()
    parser = Events()
    bounds = [0, *sorted(cuts), len(data)]
    found = [event for start, end in itertools.pairwise(bounds) for event in parser.feed(data[start:end])]
    assert found + parser.close() == EVENTS


def test_the_last_event_may_lack_its_end() -> None:
    parser = Events()
    assert parser.feed(b"\xef\xbb\xbfdata: a") == []
    assert parser.close() == ["a"]


def test_an_event_without_end_is_given_up() -> None:
    parser = Events()
    for _ in range(LONGEST // 2**20):
        parser.feed(b"x" * 2**20)
    with pytest.raises(EventTooLong):
        parser.feed(b"x")
    with pytest.raises(UnicodeDecodeError):
        Events().feed(b"data: \xff")


@given(
    st.integers(200, 599),
    st.one_of(
        st.text(max_size=200),
        st.recursive(
            st.none() | st.text() | st.integers(),
            lambda c: (
                st.lists(c) | st.dictionaries(st.sampled_from(["error", "message", "detail", "code"]), c)
            ),
            max_leaves=6,
        ).map(json.dumps),
    ),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "location"]), st.text(max_size=30)),
)
def test_no_answer_breaks_the_reading_of_errors(status: int, body: str, headers: dict[str, str]) -> None:
    failure = failures.failure_of_answer(status, headers, body, "MY_KEY")
    assert failure.what
    assert failure.next
    assert len(failure.what) < 900
    assert failure.wait is None or failure.wait >= 0
    assert isinstance(UnavailableError(failure.what, next=failure.next), WhytuneError)
