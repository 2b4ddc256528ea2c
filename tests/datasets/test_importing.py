"""Files as people have them, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whytune.datasets.importing import read_source, sniff
from whytune.datasets.spec import Reading, ReadSpec
from whytune.errors import DataError


def read(path: Path, task: str, **known: object) -> Reading:
    return read_source(ReadSpec(paths=(path,), task=task, **known))  # type: ignore[arg-type]


def pairs(reading: Reading) -> list[tuple[str, str]]:
    return [(example.input_text, example.target_text) for example in reading.examples]


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,category\nhello there,greeting\n"bye, now",farewell\n'),
        ("a.csv", "text;category\nhello there;greeting\nbye, now;farewell\n"),
        ("a.tsv", "text\tcategory\nhello there\tgreeting\nbye, now\tfarewell\n"),
        (
            "a.jsonl",
            '{"text":"hello there","category":"greeting"}\n\n{"text":"bye, now","category":"farewell"}\n',
        ),
        (
            "a.json",
            '[{"text":"hello there","category":"greeting"},\n{"text":"bye, now","category":"farewell"}]',
        ),
        (
            "a.json",
            '{"data":[{"text":"hello there","category":"greeting"},{"text":"bye, now","category":"farewell"}]}',
        ),
        ("a.json", '{"text":["hello there","bye, now"],"category":["greeting","farewell"]}'),
        ("a.json", '{"text":{"0":"hello there","1":"bye, now"},"category":{"0":"greeting","1":"farewell"}}'),
        ("a.csv", '\ufefftext,category\r\nhello there,greeting\r\n"bye, now",farewell\r\n'),
        ("a.csv", 'text,category\nhello there,greeting\n"bye, now",farewell\n'.encode("utf-16")),
    ],
)
def test_the_same_rows_in_many_formats(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert pairs(read(put(tmp_path, name, content), "categorization")) == [
        ("hello there", "greeting"),
        ("bye, now", "farewell"),
    ]


@pytest.mark.parametrize(
    ("task", "row", "wanted"),
    [
        ("qna", {"question": "Who?", "answer": "Me."}, ("Who?", "Me.")),
        ("qna", {"instruction": "Add", "input": "1 2", "output": "3"}, ("Add\n\n1 2", "3")),
        ("qna", {"prompt": "Who?", "completion": "Me."}, ("Who?", "Me.")),
        (
            "qna",
            {"question": "Who?", "answers": {"text": ["Me.", "I."], "answer_start": [0, 1]}},
            ("Who?", "Me."),
        ),
        (
            "chat",
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
            ("Hi", "Hello"),
        ),
        (
            "chat",
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
            ("Hi", "Hello"),
        ),
        ("chat", {"text": "[INST] Hi [/INST] Hello</s>"}, ("Hi", "Hello")),
        ("summarization", {"dialogue": "A: x", "summary": "s"}, ("A: x", "s")),
        (
            "extraction",
            {"text": "to Bonn", "labels": [{"start": 3, "end": 7, "label": "city"}]},
            ("to Bonn", '{"city":"Bonn"}'),
        ),
        ("extraction", {"text": "to Bonn", "entities": [[3, 7, "city"]]}, ("to Bonn", '{"city":"Bonn"}')),
        (
            "extraction",
            {"text": "to Bonn", "fields": {"city": "Bonn", "day": None}},
            ("to Bonn", '{"city":"Bonn","day":null}'),
        ),
        (
            "extraction",
            {"text": "to Bonn", "fields": '{"city": ["Bonn", "Ulm"]}'},
            ("to Bonn", '{"city":"Bonn; Ulm"}'),
        ),
    ],
)
def test_shapes_of_rows(tmp_path: Path, task: str, row: dict[str, object], wanted: tuple[str, str]) -> None:
    path = put(tmp_path, "rows.jsonl", "\n".join([json.dumps(row)] * 2))
    assert pairs(read(path, task)) == [wanted] * 2


def test_a_conversation_keeps_what_came_before(tmp_path: Path) -> None:
    turns = [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
        ("assistant", "Ciao"),
        ("user", "?"),
    ]
    row = {"messages": [{"role": role, "content": said} for role, said in turns]}
    example = read(put(tmp_path, "a.jsonl", json.dumps(row) + "\n" + json.dumps(row)), "chat").examples[0]
    assert [(message.role, message.text) for message in example.messages] == turns[:4]
    assert example.target_text == "Ciao"


def test_spans_with_a_question_before_them(tmp_path: Path) -> None:
    rows = [
        {
            "userInput": {"text": "11 pm"},
            "context": {"requestedSlots": ["time"]},
            "labels": [{"slot": "time", "valueSpan": {"endIndex": 5}}],
        },
        {
            "userInput": {"text": "for 9 people"},
            "labels": [{"slot": "people", "valueSpan": {"startIndex": 4, "endIndex": 12}}],
        },
        {"userInput": {"text": "thanks"}},
    ]
    reading = read(put(tmp_path, "a.json", json.dumps(rows, indent=1)), "extraction")
    assert pairs(reading) == [
        ("Asked for: time\n11 pm", '{"people":null,"time":"11 pm"}'),
        ("for 9 people", '{"people":"9 people","time":null}'),
        ("thanks", '{"people":null,"time":null}'),
    ]
    assert reading.fields == ("people", "time")
    assert reading.examples[0].origin.line == 2


def test_a_span_outside_its_text_is_listed(tmp_path: Path) -> None:
    rows = [{"text": "to Bonn", "labels": [{"start": 3, "end": end, "label": "city"}]} for end in (7, 70)]
    reading = read(put(tmp_path, "a.json", json.dumps(rows)), "extraction")
    assert len(reading.examples) == 1
    assert "outside the text" in reading.problems[0].detail


@pytest.mark.parametrize("task", ["extraction", "categorization"])
def test_chunks_under_their_intent(tmp_path: Path, task: str) -> None:
    chunks = [
        {"text": "play "},
        {"text": "Für Elise", "entity": "track"},
        {"text": " and "},
        {"text": "Aria", "entity": "track"},
    ]
    content = json.dumps({"Play": [{"data": chunks}, {"data": chunks[:2]}]}, ensure_ascii=False).encode(
        "cp1252"
    )
    reading = read(put(tmp_path, "a.json", content), task)
    first = ("play Für Elise and Aria", '{"track":"Für Elise; Aria"}' if task == "extraction" else "Play")
    assert pairs(reading)[0] == first
    assert reading.source.encoding == "cp1252"


def test_texts_and_labels_side_by_side(tmp_path: Path) -> None:
    path = put(tmp_path, "val_text.txt", "good\n\nbad, really\n")
    put(tmp_path, "val_labels.txt", "1\n0\n0\n")
    put(tmp_path, "mapping.txt", "0\tnegative\n1\tpositive\n")
    reading = read(path, "sentiment")
    assert pairs(reading) == [("good", "positive"), ("bad, really", "negative")]
    assert [(p.reason, p.origin.line) for p in reading.problems] == [("empty", 2)]
    put(tmp_path, "val_labels.txt", "1\n0\n")
    with pytest.raises(DataError, match="line by line"):
        read(path, "sentiment")


def test_instruction_text_whose_cells_hold_commas(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'text\n<INST>Who?</INST> Me, and you.\n"<INST>Say ""hi""</INST> hi"\n')
    assert pairs(read(path, "qna")) == [("Who?", "Me, and you."), ('Say "hi"', "hi")]


def test_parquet_with_named_classes(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": ["a b", "c d"], "label": [1, 0]})
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(features)}), tmp_path / "a.parquet"
    )
    assert pairs(read(tmp_path / "a.parquet", "sentiment")) == [("a b", "good"), ("c d", "bad")]


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = ['{"question":"a?","answer":"1"}', '"QandA"', '{"question":"b?"', '{"question":"c?"}', '{"question":"d?","answer":" "}',
             '{"question":"e?","answer":"2"}']  # fmt: skip
    reading = read(put(tmp_path, "a.jsonl", "\n".join(lines)), "qna")
    assert [example.origin.line for example in reading.examples] == [1, 6]
    assert [(p.origin.line, p.reason) for p in reading.problems] == [
        (2, "unreadable"), (3, "unreadable"), (4, "missing_field"), (5, "empty"),
    ]  # fmt: skip
    assert "bare string" in reading.problems[0].detail
    assert reading.source.rows == 6
    assert reading.source.unreadable == 2


def test_ragged_rows_and_open_quotes(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'text,label\na b,x\nc,d,e\n"open,x\nf g,y\nh\n')
    reading = read(path, "categorization")
    assert pairs(reading) == [("a b", "x"), ("f g", "y")]
    assert [p.origin.line for p in reading.problems] == [3, 4, 6]
    assert "never closed" in reading.problems[1].detail


def test_a_json_file_that_breaks_off(tmp_path: Path) -> None:
    rows = json.dumps([{"question": f"q{i}?", "answer": "a"} for i in range(5)], indent=0)
    reading = read(put(tmp_path, "a.json", rows[:-30]), "qna")
    assert len(reading.examples) == 4
    assert "breaks off" in reading.problems[0].detail


def test_bytes_of_another_encoding_cost_only_their_rows(tmp_path: Path) -> None:
    lines = [f"café naïve {i},x{i % 2}".encode() for i in range(9)] + [b"caf\xe9,x1"]
    reading = read(put(tmp_path, "a.csv", b"text,label\n" + b"\n".join(lines)), "categorization")
    assert len(reading.examples) == 9
    assert reading.problems[0].origin.line == 11
    western = read(put(tmp_path, "b.csv", "text,label\ncafé,x\nnaïve,y\n".encode("cp1252")), "categorization")
    assert western.source.encoding == "cp1252"
    assert western.examples[0].input_text == "café"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n \n", "blank lines"),
        ("a.csv", b"text,category\n", "no rows"),
        ("a.csv", b"PK\x03\x04" + bytes(100), "zip archive"),
        ("a.csv", bytes(range(256)) * 8, "binary"),
        ("a.json", b"[[[[" * 100_000, "no rows"),
        ("a.jsonl", b'"a"\n"b"\n', "no rows"),
        ("a.parquet", b"PAR1" + bytes(50), "Parquet"),
    ],
)
def test_files_that_hold_nothing_to_read(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as raised:
        read(put(tmp_path, name, content), "categorization")
    assert raised.value.next


def test_all_wrong_columns_are_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "text,category\na,b\n")
    with pytest.raises(DataError) as raised:
        read(path, "categorization", input="txt", target="catgory", group="customer")
    assert [problem.split(";")[-1].strip() for problem in raised.value.problems] == [
        "did you mean 'text'?", "did you mean 'category'?", "no group column 'customer'", "the columns there are: 'text', 'category'",
    ]  # fmt: skip


def test_wrong_encoding_and_missing_file(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "text,category\ncafé,b\n".encode("cp1252"))
    with pytest.raises(DataError, match="not utf-8"):
        read(path, "categorization", encoding="utf-8")
    with pytest.raises(DataError, match="no text encoding"):
        read(path, "categorization", encoding="utf-99")
    with pytest.raises(DataError) as raised:
        read(tmp_path / "b.csv", "categorization")
    assert "did you mean" in raised.value.problems[0]


def test_several_columns_become_fields(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "mail,city,day\nto Bonn on Monday,Bonn,Monday\nto Ulm,Ulm,\n")
    reading = read(path, "extraction", input="mail", target="city,day")
    assert pairs(reading) == [
        ("to Bonn on Monday", '{"city":"Bonn","day":"Monday"}'),
        ("to Ulm", '{"city":"Ulm","day":null}'),
    ]


def test_a_guess_says_why_and_shows_rows(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "text,category\nhello there,greeting\nbye now,farewell\n")
    guess = sniff(ReadSpec(paths=(path,), task="categorization"))
    assert (guess.format, guess.input, guess.target, guess.delimiter) == ("csv", "text", "category", ",")
    assert guess.preview[0] == ("hello there", "greeting")
    assert guess.confidence > 0.8
    unnamed = put(
        tmp_path, "b.csv", "\n".join(f"a rather long text number {i} here,{'ab'[i % 2]}" for i in range(30))
    )
    guess = sniff(ReadSpec(paths=(unnamed,), task="categorization"))
    assert (guess.input, guess.target) == ("column1", "column2")
    assert guess.confidence < 0.5


@pytest.mark.slow
def test_one_line_of_many_rows_needs_little_memory(tmp_path: Path) -> None:
    path = put(
        tmp_path, "a.json", json.dumps([{"question": f"q{i}?", "answer": "x" * 200} for i in range(6_000)])
    )
    reading = read(path, "qna")
    assert len(reading.examples) == 6_000
    origin = reading.examples[-1].origin
    assert path.read_text()[origin.start : origin.end].startswith('{"question": "q5999?"')


def test_a_line_that_never_ends_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        for _ in range(18):
            file.write("x" * (1 << 20))
    with pytest.raises(DataError, match="million characters"):
        read(path, "categorization")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='{}[]",:;\n\t\\x1aé<>INST/0', max_size=200).map(lambda text: text.encode("utf-8")),
        st.lists(st.text(max_size=12), min_size=1, max_size=6).map(
            lambda cells: ("text,label\n" + ",".join(cells)).encode("utf-8", "replace")
        ),
    ),
    name=st.sampled_from(["f.csv", "f.tsv", "f.json", "f.jsonl", "f.txt", "f.parquet", "f"]),
    task=st.sampled_from(["categorization", "extraction", "chat", "qna"]),
)
def test_any_bytes_give_a_reading_or_a_data_error(
    tmp_path: Path, content: bytes, name: str, task: str
) -> None:
    path = put(tmp_path, name, content)
    try:
        reading = read(path, task)
    except DataError as told:
        error: DataError | None = told
    else:
        error = None
        assert len(reading.examples) + len(reading.problems) == reading.source.rows
    assert error is None or error.next
